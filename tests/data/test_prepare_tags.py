from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.data.tagging.prepare import prepare_tags
from lightning_seq.data.tagging.prepared import PreparedTags
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import WordForm
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.word_case import CASES, case_of

Row = tuple[str, str]
"""Tokens and tags with spaces between them; `?` is a tag that is not known."""


@dataclass
class Given:
    """A source that is handed its sentences, and counts how often it is read."""

    train: list[Row]
    validation: list[Row] = field(default_factory=lambda: [("a new", "X Y")])
    test: list[Row] = field(default_factory=lambda: [("b", "Y")])
    classes: tuple[str, ...] | None = None
    intents: dict[str, list[str]] | None = None
    origin: str | None = None
    reads: int = 0

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return {"rows": [self.train, self.validation, self.test], "intents": self.intents}

    def load(self) -> Loaded[TaggedTable]:
        self.reads += 1
        tables = {}
        for split in ("train", "validation", "test"):
            rows = getattr(self, split)
            tokens = [text.split() for text, _ in rows]
            tables[split] = TaggedTable(
                tokens,
                [[None if tag == "?" else tag for tag in tags.split()] for _, tags in rows],
                list(range(len(rows))),
                self.intents[split] if self.intents else None,
                self.origin,
                [[100 * row + step for step in range(len(words))] for row, words in enumerate(tokens)]
                if self.origin
                else None,
            )
        return Loaded(tables, self.classes)


TRAIN = [("The cat sat", "X Y Z"), ("a Cat in 1984", "X Y Y Y"), ("b 2001", "Y X")]


def words(prepared: PreparedTags, split: str) -> list[list[str]]:
    found = prepared.splits[split]
    ids = prepared.spellings.words[found.flat]
    return [
        prepared.vocabulary.decode(ids[start:stop].tolist())
        for start, stop in zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ]


def tags(prepared: PreparedTags, split: str) -> list[str]:
    return [prepared.tags[tag] if tag >= 0 else "-" for tag in prepared.splits[split].tags]


def test_words_are_lower_case_with_digits_as_zero_and_of_train_alone(tmp_path: Path) -> None:
    prepared = prepare_tags(Given(TRAIN), tmp_path)
    assert dict(zip(prepared.vocabulary.words[4:], prepared.vocabulary.counts[4:], strict=True)) == {
        "0000": 2, "cat": 2, "a": 1, "b": 1, "in": 1, "sat": 1, "the": 1,
    }  # fmt: skip
    assert words(prepared, "train") == [["the", "cat", "sat"], ["a", "cat", "in", "0000"], ["b", "0000"]]
    assert words(prepared, "validation") == [["a", "<unk>"]]
    assert unknown_share(prepared.spellings.words[prepared.splits["validation"].flat]) == 0.5
    assert prepared.tags == ("X", "Y", "Z")
    assert tags(prepared, "train") == list("XYZXYYYYX")
    assert prepared.tokens("train", 1) == ["a", "Cat", "in", "1984"]
    assert list(prepared.train_sentences()) == words(prepared, "train")
    as_written = prepare_tags(Given(TRAIN), tmp_path, TagSettings(WordForm(lower=False, digits=False)))
    assert words(as_written, "train")[1] == ["a", "Cat", "in", "1984"]


def test_characters_are_of_train_as_they_are_written(tmp_path: Path) -> None:
    prepared = prepare_tags(Given(TRAIN), tmp_path)
    assert prepared.characters[:2] == ("<pad>", "<unk>")
    assert set(prepared.characters[2:]) == set("ThecatsatCin1984b2001")
    often = prepare_tags(Given([("za z ab z", "X Y X Y")], [("z", "X")], [("z", "X")]), tmp_path)
    assert often.characters == ("<pad>", "<unk>", "z", "a", "b")
    (new,) = [
        row for row, token in zip(prepared.spellings.characters, prepared._written, strict=True) if token == "new"
    ]
    assert [prepared.characters[number] for number in new[:4]] == ["n", "e", "<unk>", "<pad>"]
    short = prepare_tags(Given(TRAIN), tmp_path, TagSettings(max_word_length=2))
    assert short.spellings.characters.shape[1] == short.spellings.widths.max() == 2
    assert "h" in short.characters
    assert "t" not in short.characters


@pytest.mark.parametrize(
    ("token", "case"),
    [
        ("cat", "lower"), ("Cat", "Capitalised"), ("I", "Capitalised"), ("NATO", "ALL CAPS"), ("McCoy", "miXed"),
        ("iPod", "miXed"), ("B2B", "has digit"), ("1984", "has digit"), (",", "other"), ("में", "other"),
        ("don't", "lower"), ("U.S.", "ALL CAPS"), ("Élan", "Capitalised"), ("ÉLAN", "ALL CAPS"),
        ("'Tis", "Capitalised"), ("²", "has digit"), ("ßa", "lower"),
    ],
)  # fmt: skip
def test_cases(token: str, case: str) -> None:
    assert CASES[case_of(token)] == case


def test_word_forms() -> None:
    assert WordForm()("10 000€") == "00_000€"
    assert WordForm(lower=False, digits=False)("A1") == "A1"


def test_a_second_time_nothing_is_read_and_all_is_equal(tmp_path: Path) -> None:
    source = Given(TRAIN, intents={"train": ["i", "j", "i"], "validation": ["i"], "test": ["j"]})
    first, second = prepare_tags(source, tmp_path), prepare_tags(source, tmp_path)
    assert source.reads == 1
    for name in ("spec", "vocabulary", "characters", "intents", "scheme", "fingerprints", "report", "directory"):
        assert getattr(first, name) == getattr(second, name)
    for split in first.splits:
        for part in ("flat", "offsets", "tags", "ids", "intents", "lengths", "counts"):
            np.testing.assert_array_equal(getattr(first.splits[split], part), getattr(second.splits[split], part))
    for part in ("words", "cases", "characters", "widths"):
        np.testing.assert_array_equal(getattr(first.spellings, part), getattr(second.spellings, part))
    assert list(first.train_sentences()) == list(second.train_sentences())
    path = first.directory / "train_tags.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert tags(prepare_tags(source, tmp_path), "train") == list("XYZXYYYYX")
    assert source.reads == 2


@pytest.mark.parametrize(
    "change",
    [
        {"form": WordForm(lower=False)}, {"form": WordForm(digits=False)}, {"min_count": 2}, {"max_vocabulary": 3},
        {"max_word_length": 3}, {"max_length": 2}, {"scheme": "none"}, {"repair": True}, {"unseen_tags": "ignore"},
    ],
)  # fmt: skip
def test_every_setting_makes_other_data(tmp_path: Path, change: dict[str, Any]) -> None:
    one, other = prepare_tags(Given(TRAIN), tmp_path), prepare_tags(Given(TRAIN), tmp_path, TagSettings(**change))
    assert one.directory != other.directory
    assert one.fingerprints["data"] != other.fingerprints["data"]
    assert one.fingerprints["split"] == other.fingerprints["split"]


def test_other_tags_are_other_data(tmp_path: Path) -> None:
    one = prepare_tags(Given(TRAIN), tmp_path)
    other = prepare_tags(Given([("The cat sat", "X Y Y"), *TRAIN[1:]]), tmp_path)
    assert one.fingerprints["data"] != other.fingerprints["data"]


def test_long_sentences_are_cut_for_batches_and_not_for_word_vectors(tmp_path: Path) -> None:
    prepared = prepare_tags(Given(TRAIN), tmp_path, TagSettings(max_length=2))
    assert words(prepared, "train") == [["the", "cat"], ["a", "cat"], ["b", "0000"]]
    assert tags(prepared, "train") == list("XYXYYX")
    assert "train: 2 of 3 sentences cut to 2 tokens" in prepared.report
    assert next(prepared.train_sentences()) == ["the", "cat", "sat"]


def test_tags_are_those_of_train_in_the_order_of_the_source(tmp_path: Path) -> None:
    assert prepare_tags(Given(TRAIN, classes=("W", "Z", "Y", "X")), tmp_path).tags == ("Z", "Y", "X")
    spans = Given([("a b c", "I-a B-b O")], [("a", "O")], [("a", "O")])
    prepared = prepare_tags(spans, tmp_path, TagSettings(repair=True))
    assert (prepared.tags, prepared.scheme) == (("O", "B-a", "B-b"), "bio")
    assert prepare_tags(Given(TRAIN), tmp_path).scheme == "none"


def test_a_tag_that_is_not_known_does_not_count(tmp_path: Path) -> None:
    prepared = prepare_tags(Given([("a b c", "X ? Y"), ("d e", "? ?")]), tmp_path)
    assert tags(prepared, "train") == ["X", "-", "Y", "-", "-"]
    assert prepared.splits["train"].counts.tolist() == [2, 0]


UNSEEN = Given(TRAIN, [("a b", "X N"), ("c", "N")], origin=None)


def test_a_tag_that_training_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"given, validation split, example 0, token 2 \('b'\): no .* 'N': expected one of X, Y, Z; "
    ):
        prepare_tags(UNSEEN, tmp_path)
    prepared = prepare_tags(UNSEEN, tmp_path, TagSettings(unseen_tags="ignore"))
    assert tags(prepared, "validation") == ["X", "-", "-"]
    assert prepared.splits["validation"].counts.tolist() == [1, 0]
    assert prepared.report == ("validation: 2 tokens whose tag training does not have (N) do not count",)
    with pytest.raises(UserError, match=r"own\.conllu, line 1: no training example has the tag 'N'"):
        prepare_tags(Given(TRAIN, UNSEEN.validation, origin="own.conllu"), tmp_path)


def test_an_intent_that_training_does_not_have(tmp_path: Path) -> None:
    source = Given(TRAIN, intents={"train": ["j", "i", "i"], "validation": ["k"], "test": ["i"]})
    with pytest.raises(UserError, match=r"validation split, example 0: no training example has the intent 'k'.*i, j"):
        prepare_tags(source, tmp_path)
    prepared = prepare_tags(source, tmp_path, TagSettings(unseen_tags="ignore"))
    assert prepared.intents == ("i", "j")
    assert [split.intents.tolist() for split in prepared.splits.values()] == [[1, 0, 0], [-1], [0]]
    assert "validation: 1 sentences whose intent" in prepared.report[0]


BROKEN = Given([("a b c d", "B-P I-P I-Q I-Q"), ("a b", "O I-P")], [("a", "O")], [("a b", "I-Q I-Q")])


def test_malformed_bio(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"train split, example 0, token 3 \('c'\): malformed BIO, I-Q follows I-P: expected B-Q.*repair=true",
    ):
        prepare_tags(BROKEN, tmp_path)
    with pytest.raises(UserError, match=r"own\.txt, line 2: malformed BIO"):
        prepare_tags(Given(BROKEN.train, origin="own.txt"), tmp_path)
    with pytest.raises(UserError, match=r"test split, example 0, token 1 \('a'\): .*I-Q follows the beginning"):
        prepare_tags(Given([("a b", "B-Q I-Q")], BROKEN.validation, BROKEN.test), tmp_path)
    prepared = prepare_tags(BROKEN, tmp_path, TagSettings(repair=True))
    assert tags(prepared, "train") == ["B-P", "I-P", "B-Q", "I-Q", "O", "B-P"]
    assert tags(prepared, "test") == ["B-Q", "I-Q"]
    assert prepared.report == (
        "train: malformed BIO repaired, 2 spans that began with I begin with B",
        "test: malformed BIO repaired, 1 spans that began with I begin with B",
    )
    iob1 = prepare_tags(BROKEN, tmp_path, TagSettings(scheme="iob1"))
    assert tags(iob1, "train") == tags(prepared, "train")
    assert iob1.report[0] == "train: IOB1 read as BIO, 2 spans that began with I begin with B"
    alone = prepare_tags(BROKEN, tmp_path, TagSettings(scheme="none"))
    assert (tags(alone, "train")[2], alone.scheme) == ("I-Q", "none")


def test_what_is_not_bio_is_refused_where_bio_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"token 1 \('The'\): 'X' is not BIO, expected O, B-X or I-X.*scheme=none"):
        prepare_tags(Given(TRAIN), tmp_path, TagSettings(scheme="bio"))


def test_sentences_without_a_token_are_left_out(tmp_path: Path) -> None:
    prepared = prepare_tags(Given([("", ""), *TRAIN]), tmp_path)
    assert prepared.splits["train"].ids.tolist() == [1, 2, 3]
    assert prepared.report == ("train: 1 sentence without a token left out",)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Given([*TRAIN, ("a b", "X")]), r"given, train split, example 3: 2 tokens and 1 tags: expected a tag"),
        (Given(TRAIN, origin="own.txt", test=[("a", "X"), ("a", "X Y")]), r"own\.txt, line 100: 1 tokens and 2 tags"),
        (Given([("a b", "X X")]), r"train split has one tag, 'X'"),
        (Given([("a b", "? ?")]), r"train split has no tag: expected at least two"),
        (Given(TRAIN, test=[("a", "?")]), r"test split has no tag that counts"),
        (Given(TRAIN, test=[]), r"test split is empty"),
        (Given(TRAIN, test=[("", "")]), r"test split is empty"),
    ],
)  # fmt: skip
def test_splits_that_cannot_be_used_leave_nothing_behind(tmp_path: Path, source: Given, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare_tags(source, tmp_path)
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_length": 0}, r"data\.max_length is 0"),
        ({"max_word_length": 0}, r"data\.max_word_length is 0"),
        ({"scheme": "bioes"}, r"data\.scheme is 'bioes'"),
        ({"unseen_tags": "igno"}, r"data\.unseen_tags is 'igno'; did you mean ignore"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TagSettings(**settings)


def test_a_vocabulary_without_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no word occurs 9 times"):
        prepare_tags(Given(TRAIN), tmp_path, TagSettings(min_count=9))


IOBES = Given([("a b c d", "B-P I-P E-P S-Q"), ("a b", "O S-P")], [("a", "O")], [("a b", "B-P E-P")])


@pytest.mark.parametrize("scheme", ["auto", "iobes"])
def test_iobes_is_read_and_told(scheme: str, tmp_path: Path) -> None:
    prepared = prepare_tags(IOBES, tmp_path, TagSettings(scheme=scheme))
    assert (prepared.scheme, prepared.own_scheme, prepared.spec.targets.scheme) == ("iobes", "iobes", "iobes")  # type: ignore[union-attr]
    assert prepared.report == (("tags are IOBES: spans are scored by F1",) if scheme == "auto" else ())
    assert tags(prepared, "test") == ["B-P", "E-P"]
    assert prepared.tags == ("O", "B-P", "E-P", "I-P", "S-P", "S-Q")


@pytest.mark.parametrize(
    ("tags_given", "told"),
    [
        ("b-P i-P O", "b-P"),
        ("b-P i-P o", "b-P"),
        ("P-B P-I O", "P-B"),
        ("B_P I_P O", "B_P"),
        ("NN-S VB DT", None),
        ("N V D", None),
    ],
)
def test_marks_of_spans_that_are_written_otherwise_are_told(tags_given: str, told: str | None, tmp_path: Path) -> None:
    one = ("a", tags_given.split()[0])
    prepared = prepare_tags(Given([("a b c", tags_given)] * 3, [one], [one]), tmp_path)
    assert prepared.scheme == "none"
    line = f"tags such as {told} are scored one by one: to mark spans they are written B-KIND, I-KIND, O"
    assert [said for said in prepared.report if "scored one by one" in said] == ([line] if told else [])


def test_iob1_is_read_by_what_it_looks_like(tmp_path: Path) -> None:
    prepared = prepare_tags(Given([("a b c d", "I-P I-P B-P O")], [("a", "O")], [("a", "I-P")]), tmp_path)
    assert (prepared.scheme, prepared.own_scheme) == ("bio", "iob1")
    assert tags(prepared, "train") == ["B-P", "I-P", "B-P", "O"]
    assert prepared.report[0] == "tags are IOB1: spans are scored by F1"


def test_malformed_iobes(tmp_path: Path) -> None:
    broken = Given(IOBES.train, IOBES.validation, [("a b c", "O B-P I-P")], origin="own.txt")
    with pytest.raises(UserError, match=r"own\.txt, line \d+: malformed IOBES, I-P is the end of .*repair"):
        prepare_tags(broken, tmp_path)
    prepared = prepare_tags(broken, tmp_path, TagSettings(repair=True))
    assert tags(prepared, "test") == ["O", "B-P", "E-P"]
    assert "test: malformed IOBES repaired, 1 tags changed" in prepared.report
    with pytest.raises(UserError, match=r"'B-P' is not IOE2, expected O, I-X or E-X: data\.scheme=none"):
        prepare_tags(IOBES, tmp_path, TagSettings(scheme="ioe2"))
