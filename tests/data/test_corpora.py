"""Sources of running text."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.sources.corpus import Corpus, Tail, held_out, lines_of
from lightning_seq.data.sources.embedded_text import BLOCK, Hello, VersesText
from lightning_seq.data.sources.public import RunningText
from lightning_seq.data.sources.python_docs import PythonDocs
from lightning_seq.data.sources.text_files import PennTreebank, TextFiles
from lightning_seq.data.sources.verses import verses
from lightning_seq.errors import UserError

LM_SPLITS = {"train": "validation", "validation": None, "test": "test"}


def test_lines_keep_their_ends() -> None:
    assert lines_of("a\n\nb\x0b\u2028c\r\nd") == ["a\n", "\n", "b\x0b\u2028c\r\n", "d"]
    assert lines_of("a\n") == ["a\n"]
    assert lines_of("") == []


def test_missing_splits_are_the_end_of_train_where_a_line_ends() -> None:
    lines = [f"{number:03}\n" for number in range(100)]
    found, notes = Tail(validation_fraction=0.1, test_fraction=0.2).completed({"train": lines}, "own.txt")
    assert {split: len(part) for split, part in found.items()} == {"train": 70, "validation": 10, "test": 20}
    assert found["train"] + found["validation"] + found["test"] == lines
    assert len(notes) == 2
    uneven, _ = Tail(validation_fraction=0.4).completed(
        {"train": ["x" * 100, "y" * 20, "z" * 50], "test": ["t"]}, "own.txt"
    )
    assert uneven == {"train": ["x" * 100], "validation": ["y" * 20, "z" * 50], "test": ["t"]}
    two, _ = Tail().completed({"train": ["x", "y" * 99], "test": ["t"]}, "own.txt")
    assert (two["train"], two["validation"]) == (["x"], ["y" * 99])
    with pytest.raises(UserError, match=r"own\.txt has 1 lines to train on, too few to cut test.*data\.test=FILE"):
        Tail().completed({"train": ["all in one line"]}, "own.txt")
    with pytest.raises(UserError, match=r"data\.test_fraction is 1"):
        Tail(test_fraction=1)
    with pytest.raises(UserError, match="leave nothing to train on: expected a sum below 1, give smaller ones"):
        Tail(validation_fraction=0.5, test_fraction=0.5).completed({"train": lines}, "own.txt")


def test_verses_are_whole_and_in_order_and_blocks_of_chapters_stay_together() -> None:
    corpus, every = VersesText("web", 3).load(), verses("web")
    texts = Counter(f"{verse.text}\n" for verse in every)
    assert Counter(line for lines in corpus.lines.values() for line in lines) == texts
    chapters = list(dict.fromkeys((verse.book, verse.chapter) for verse in every))
    blocks = {chapter: number // BLOCK for number, chapter in enumerate(chapters)}
    once = {line: blocks[verse.book, verse.chapter] for verse in every if texts[line := f"{verse.text}\n"] == 1}
    numbers = {split: [once[line] for line in lines if line in once] for split, lines in corpus.lines.items()}
    assert not set(numbers["train"]) & set(numbers["validation"])
    assert not set(numbers["train"]) & set(numbers["test"])
    assert not set(numbers["validation"]) & set(numbers["test"])
    assert all(found == sorted(found) for found in numbers.values())
    assert [len(set(found)) for found in numbers.values()] == [95, 12, 12]
    assert held_out(119, np.random.default_rng(3)) != held_out(119, np.random.default_rng(4))
    with pytest.raises(UserError, match=r"split_seed is -1"):
        PythonDocs(-1)


def test_hello() -> None:
    corpus = Hello().load()
    assert corpus.lines == {"train": ["hello"], "validation": ["hello"], "test": ["hello"]}
    assert corpus.symbols == ("h", "e", "l", "o")


@pytest.fixture(scope="module")
def docs() -> Corpus:
    return PythonDocs().load()


@pytest.mark.slow
def test_pythons_documentation(docs: Corpus) -> None:
    sizes = {split: sum(map(len, lines)) for split, lines in docs.lines.items()}
    assert sum(sizes.values()) > 1_000_000
    assert 0.05 < sizes["test"] / sum(sizes.values()) < 0.2
    text = "".join(chain(*docs.lines.values()))
    assert 'The "assert" statement' in text
    assert "Heap queue algorithm (a.k.a. priority queue)." in text
    assert PythonDocs().identity() == PythonDocs().identity() != PythonDocs(2).identity()


@pytest.mark.slow
def test_the_library_is_parsed_not_imported_and_always_the_same_text(docs: Corpus) -> None:
    script = (
        "import hashlib, sys; from lightning_seq.data.sources.python_docs import PythonDocs; before = set(sys.modules);"
        "lines = PythonDocs().load().lines; print(hashlib.sha256(repr(lines).encode()).hexdigest());"
        "print(*set(sys.modules) - before)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    digest, *names = run.stdout.split()
    assert digest == hashlib.sha256(repr(docs.lines).encode()).hexdigest()
    assert len(names) < 50, "the library has some 700 modules"
    assert not set(names) & {"this", "antigravity", "turtle", "idlelib", "pydoc_data", "pydoc_data.topics"}


def test_files_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\ntwo\r\n".encode())
    (tmp_path / "b.txt").write_text("three")
    path = str(tmp_path / "a.txt")
    corpus = TextFiles(path, str(tmp_path / "b.txt"), path).load()
    assert {split: [*lines] for split, lines in corpus.lines.items()} == {
        "train": ["one\n", "two\n"],
        "validation": ["three"],
        "test": ["one\n", "two\n"],
    }
    before = TextFiles(path).identity()
    (tmp_path / "a.txt").write_text("one\n")
    assert TextFiles(path).identity() != before
    (tmp_path / "c.txt").write_bytes(b"a\ncaf\xe9\n")
    (tmp_path / "d.txt").write_text("\n \n")
    for given, said in (
        ({}, r"data\.train is not given.*data\.train=FILE"),
        ({"train": str(tmp_path / "x.txt")}, r"data\.train=.*x\.txt is not there"),
        ({"train": path, "test": str(tmp_path / "nowhere" / "x")}, r"data\.test=.*there is no directory"),
        ({"train": str(tmp_path)}, "is a directory"),
        ({"train": str(tmp_path / "c.txt")}, r"c\.txt, line 2: not UTF-8"),
        ({"train": str(tmp_path / "d.txt")}, r"d\.txt is empty"),
    ):
        with pytest.raises(UserError, match=said):
            TextFiles(**{"train": None, **given}).load()  # type: ignore[arg-type]


def test_the_penn_treebank_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"LDC99T42.*data\.train=ptb\.train\.txt.*data\.test=ptb\.test\.txt"):
        PennTreebank(str(tmp_path / "ptb.train.txt"))
    paths = {}
    for split in ("train", "validation", "test"):
        paths[split] = str(tmp_path / f"ptb.{split}.txt")
        Path(paths[split]).write_text(f" {split} <unk> N \n")
    assert [*PennTreebank(**paths).load().lines["test"]] == [" test <unk> N \n"]


def test_sources_that_are_not_there() -> None:
    with pytest.raises(UserError, match=r"data\.hub\.id is not given"):
        RunningText(hub={"id": None})
    with pytest.raises(UserError, match=r"data\.hub has no key 'revison'; did you mean revision"):
        RunningText(hub={"id": "a/b", "revison": "x"})


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A mirror with `someone/lines`, a line a row, and `someone/whole`, one row a split."""
    import datasets

    for name, rows in (("lines", ["", "one \n", "two\nthree", ""]), ("whole", ["a\nb"])):
        place = tmp_path / "someone" / name
        place.mkdir(parents=True)
        for split in ("validation", "test"):
            datasets.Dataset.from_dict({"text": rows}).to_parquet(str(place / f"{split}.parquet"))
        (place / "README.md").write_text(
            "---\nconfigs:\n- config_name: default\n  data_files:\n"
            "  - split: validation\n    path: validation.parquet\n  - split: test\n    path: test.parquet\n---\n"
        )
    return tmp_path


def test_rows_of_a_public_set_are_lines(small: Path) -> None:
    found = RunningText(hub={"id": "someone/lines"}, mirror=str(small), splits=LM_SPLITS).load()
    assert found.lines["test"] == ["\n", "one \n", "two\n", "three\n", "\n"]
    both = {"train": "test", "validation": "test", "test": "test"}
    assert RunningText(hub={"id": "someone/whole"}, mirror=str(small), splits=both).load().lines["test"] == [
        "a\n",
        "b",
    ]


def test_a_mirror_without_the_split_to_train_on_says_what_it_has(small: Path) -> None:
    with pytest.raises(
        UserError, match=r"no split 'train' to train on, only test, validation: .*splits\.train=validation"
    ):
        RunningText(hub={"id": "someone/lines"}, mirror=str(small)).load()
    with pytest.raises(UserError, match=r"no column 'txt'.*its columns are text"):
        RunningText(hub={"id": "someone/lines"}, mirror=str(small), splits=LM_SPLITS, text_column="txt").load()


def test_files_of_text_are_read_by_the_rule_for_lines_and_in_their_encoding(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("ça\r\nva\rbien\r\r\n\nété".encode("cp1252"))
    path = str(tmp_path / "text")
    source = TextFiles(path, path, path, encoding="cp1252")
    assert [*source.load().lines["train"]] == ["ça\n", "va\rbien\n", "\n", "été"]
    assert source.identity() != TextFiles(path, path, path).identity()
    with pytest.raises(UserError, match=r"line 1: not UTF-8 .*or give data.encoding=cp1252"):
        TextFiles(path).load()


def test_a_seed_draws_the_places_of_missing_splits() -> None:
    lines = [f"{number:03}\n" for number in range(100)]
    found = {
        seed: Tail(validation_fraction=0.1, test_fraction=0.2, split_seed=seed).completed({"train": lines}, "x")
        for seed in range(40)
    }
    for splits, notes in found.values():
        assert {split: len(part) for split, part in splits.items()} == {"train": 70, "validation": 10, "test": 20}
        assert sorted(chain(*splits.values())) == lines
        assert all(part == sorted(part) for part in splits.values())
        assert lines.index(splits["test"][-1]) - lines.index(splits["test"][0]) == 19  # one stretch
        assert notes[0] == "test: a drawn stretch of 20% of train, as the source has no such split"
    assert len({splits["test"][0] for splits, _ in found.values()}) > 20
    assert found[0] == Tail(validation_fraction=0.1, test_fraction=0.2, split_seed=0).completed({"train": lines}, "x")
    two, _ = Tail(split_seed=1).completed({"train": ["x", "y" * 99], "test": ["t"]}, "own.txt")
    assert (two["train"], two["validation"]) == (["x"], ["y" * 99])
    assert Tail().shares() == {"validation": 0.1, "test": 0.1}
    assert Tail(split_seed=1).shares() == {"validation": 0.1, "test": 0.1, "split_seed": 1}
