from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.classification.prepare import Prepared, prepare
from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.table import Loaded, Table
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.tokenise import Tokeniser


@dataclass
class Given:
    """A source that is handed its tables, and counts how often it is read."""

    train: list[tuple[str, str]]
    validation: list[tuple[str, str]] = field(default_factory=lambda: [("a b", "x"), ("new c", "y")])
    test: list[tuple[str, str]] = field(default_factory=lambda: [("b", "y"), ("a", "x")])
    classes: tuple[str, ...] | None = None
    origin: str | None = None
    reads: int = 0

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def load(self) -> Loaded:
        self.reads += 1
        tables = {
            split: Table(
                [text for text, _ in rows], [label for _, label in rows], list(range(1, len(rows) + 1)), self.origin
            )
            for split, rows in (("train", self.train), ("validation", self.validation), ("test", self.test))
        }
        return Loaded(tables, self.classes)


TRAIN = [("a b c a", "x"), ("a d", "y"), ("b rare", "y")]


def rows(prepared: Prepared, split: str) -> list[list[str]]:
    found = prepared.splits[split]
    return [
        prepared.vocabulary.decode(found.flat[start:stop].tolist())
        for start, stop in zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ]


def test_ids_stand_for_the_words_and_the_vocabulary_is_of_train_alone(tmp_path: Path) -> None:
    prepared = prepare(Given(TRAIN), tmp_path)
    assert prepared.vocabulary.words[4:] == ("a", "b", "c", "d", "rare")
    assert prepared.vocabulary.counts[4:] == (3, 2, 1, 1, 1)
    assert rows(prepared, "train") == [["a", "b", "c", "a"], ["a", "d"], ["b", "rare"]]
    assert rows(prepared, "validation") == [["a", "b"], ["<unk>", "c"]]
    assert prepared.classes == ("x", "y")
    assert prepared.splits["test"].labels.tolist() == [1, 0]
    assert prepared.splits["test"].ids.tolist() == [1, 2]
    assert prepared.splits["train"].flat.dtype == np.int32


def test_word_vectors_get_whole_sentences_with_all_words(tmp_path: Path) -> None:
    prepared = prepare(Given([*TRAIN, ("", "x")]), tmp_path, min_count=2, max_length=1)
    assert rows(prepared, "train") == [["a"], ["a"], ["b"], ["<unk>"]]
    assert list(prepared.train_sentences()) == [["a", "b", "c", "a"], ["a", "d"], ["b", "rare"]]


def test_what_was_cut_or_unknown_is_reported(tmp_path: Path) -> None:
    source = Given([*TRAIN, ("  ", "x"), ("", "y")], test=[("other words", "x"), ("a", "y")])
    prepared = prepare(source, tmp_path, max_length=2)
    assert rows(prepared, "train") == [["a", "b"], ["a", "d"], ["b", "rare"], ["<unk>"], ["<unk>"]]
    text = "\n".join(prepared.report)
    assert "train: 2 sentences without a word, kept as <unk>" in text
    assert "train: 1 of 5 sentences cut to 2 tokens" in text
    assert "test: 1 sentence of unknown words only" in text
    assert prepared.splits["train"].lengths.tolist() == [2, 2, 2, 1, 1]


def test_a_second_time_nothing_is_read_and_all_is_equal(tmp_path: Path) -> None:
    source = Given(TRAIN)
    first, second = prepare(source, tmp_path), prepare(source, tmp_path)
    assert source.reads == 1
    assert first.fingerprints == second.fingerprints
    assert first.vocabulary == second.vocabulary
    for split in first.splits:
        assert rows(first, split) == rows(second, split)


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    source = Given(TRAIN)
    prepared = prepare(source, tmp_path)
    expected = rows(prepared, "train")
    path = prepared.directory / "train_flat.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert rows(prepare(source, tmp_path), "train") == expected
    assert source.reads == 2


@pytest.mark.parametrize(
    "change",
    [{"min_count": 2}, {"max_vocabulary": 2}, {"max_length": 3}, {"tokeniser": Tokeniser("character")}],
)
def test_every_setting_makes_other_data(tmp_path: Path, change: dict[str, object]) -> None:
    source = Given(TRAIN)
    one, other = prepare(source, tmp_path), prepare(source, tmp_path, **change)  # type: ignore[arg-type]
    assert one.directory != other.directory
    assert one.fingerprints["data"] != other.fingerprints["data"]
    assert one.fingerprints["split"] == other.fingerprints["split"]


def test_max_vocabulary_counts_ordinary_words(tmp_path: Path) -> None:
    assert len(prepare(Given(TRAIN), tmp_path, max_vocabulary=2).vocabulary) == 6


def test_classes_keep_the_order_of_their_source_or_of_numbers(tmp_path: Path) -> None:
    assert prepare(Given(TRAIN, classes=("y", "x")), tmp_path / "a").splits["train"].labels.tolist() == [1, 0, 0]
    numbers = Given([("a", "10"), ("b", "9")], [("a", "9"), ("b", "10")], [("a", "9"), ("b", "10")])
    assert prepare(numbers, tmp_path / "b").classes == ("9", "10")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Given([("a", "x"), ("b", "x")]), r"train split has one class, 'x'"),
        (Given(TRAIN, test=[]), r"test split is empty"),
        (Given(TRAIN, test=[("a", "x"), ("b", "x")]), r"test split has one class"),
        (
            Given(TRAIN, test=[("a", "x"), ("b", "z")]),
            r"test split, example 2: label missing or out of range.*'z'.*x, y",
        ),
        (Given(TRAIN, origin="own.csv", test=[("a", "x"), ("b", "z")]), r"own\.csv, line 2: label missing"),
        (Given([*TRAIN, ("<br>", "x")], origin="own.csv"), r"own\.csv, line 4: the sentence is empty after"),
    ],
)
def test_splits_that_cannot_be_used_leave_nothing_behind(tmp_path: Path, source: Given, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare(source, tmp_path, Tokeniser(replace={"<br>": " "}))
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_length is 0"):
        prepare(Given(TRAIN), tmp_path, max_length=0)
    with pytest.raises(UserError, match="no word occurs 9 times"):
        prepare(Given(TRAIN), tmp_path, min_count=9)


def test_characters(tmp_path: Path) -> None:
    prepared = prepare(Given(TRAIN), tmp_path, Tokeniser("character"))
    assert rows(prepared, "test") == [["b"], ["a"]]
    assert next(prepared.train_sentences()) == list("a b c a")


@pytest.fixture(scope="module")
def verses_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("verses")
    prepare(VersesGenre(), cache, min_count=2)
    return cache


def test_verses_are_found_again_without_datasets(verses_cache: Path) -> None:
    script = (
        "import json, sys; from lightning_seq.data.classification.prepare import prepare;"
        "from lightning_seq.data.sources.embedded import VersesGenre;"
        "p = prepare(VersesGenre(), sys.argv[1], min_count=2);"
        "print(json.dumps(['datasets' in sys.modules, len(p.vocabulary)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(verses_cache)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    loaded_datasets, size = json.loads(run.stdout)
    assert not loaded_datasets
    assert 7_000 < size < 9_000


def test_a_bag_of_words_tells_the_kinds_of_book_apart(verses_cache: Path) -> None:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    prepared = prepare(VersesGenre(), verses_cache, min_count=2)

    def bags(split: str) -> csr_matrix:
        found = prepared.splits[split]
        shape = (len(found), len(prepared.vocabulary))
        return csr_matrix((np.ones(len(found.flat)), np.array(found.flat), found.offsets), shape=shape).sign()

    model = LogisticRegression(C=0.3, max_iter=200).fit(bags("train"), prepared.splits["train"].labels)
    assert model.score(bags("test"), prepared.splits["test"].labels) > 0.68
