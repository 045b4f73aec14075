"""Pairs read from a user's files: two files line by line, or one file with tabs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_seq.data.sources.parallel_files import ParallelFiles
from lightning_seq.errors import UserError


def write(path: Path, *lines: str) -> str:
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return str(path)


def test_two_files_line_by_line(tmp_path: Path) -> None:
    first = write(tmp_path / "a.en", *(f"one {row}" for row in range(20)), "", "last\r")
    second = write(tmp_path / "a.de", *(f"eins {row}" for row in range(20)), " ", "letzte")
    loaded = ParallelFiles(first, train_target=second, test=first, test_target=second).load()
    table = loaded.tables["test"]
    assert (table.sources[3], table.targets[3], table.ids[3]) == ("one 3", "eins 3", 4)
    assert (table.sources[-1], table.targets[-1], table.ids[-1]) == ("last", "letzte", 22)
    assert [len(table) for table in loaded.tables.values()] == [19, 2, 21]
    assert loaded.notes[0] == "train: 1 line blank on both sides left out"
    assert "validation: 10% of train" in loaded.notes[2]
    assert ParallelFiles(first, train_target=second).identity() != ParallelFiles(second, train_target=first).identity()


def test_files_of_pairs_are_read_by_the_rule_for_lines_and_in_their_encoding(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes("ça\rva\r\nété\r\n".encode("utf-16"))
    (tmp_path / "target").write_bytes("how is it\nsummer".encode("utf-16"))
    paths = [str(tmp_path / name) for name in ("source", "target")]
    targets = {f"{split}_target": paths[1] for split in ("train", "validation", "test")}
    files = ParallelFiles(*[paths[0]] * 3, **targets, encoding="utf-16")
    assert files.load().tables["train"].sources == ["ça\rva", "été"]
    assert files.load().tables["train"].targets == ["how is it", "summer"]
    with pytest.raises(UserError, match=r"utf-16 by its byte order mark, expected utf-8.*give data.encoding=utf-16$"):
        ParallelFiles(*[paths[0]] * 3, **targets).load()


def test_one_file_with_tabs(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.tsv", *(f"Go {row}.\tVa {row} !\tCC-BY" for row in range(20)))
    table = ParallelFiles(plain, test=plain).load().tables["test"]
    assert (table.sources[1], table.targets[1], table.ids[1]) == ("Go 1.", "Va 1 !", 2)
    named = write(tmp_path / "b.tsv", "id\tfr\ten", *(f"{row}\tva {row}\tgo {row}" for row in range(20)))
    table = ParallelFiles(named, test=named, source_column="en", target_column="fr").load().tables["test"]
    assert (table.sources[1], table.targets[1], table.ids[1]) == ("go 1", "va 1", 3)


def test_what_is_wrong_in_files_is_named(tmp_path: Path) -> None:
    five = write(tmp_path / "five.en", "a", "b", "c", "d", "e")
    three = write(tmp_path / "three.de", "a", "b", "c")
    gap = write(tmp_path / "gap.en", "a", " ", "c")
    tabs = write(tmp_path / "x.tsv", "a\tb", "c")
    named = write(tmp_path / "y.tsv", "en\tfr", "a\tb")
    for options, said in (
        ({"train": None}, r"data\.train=FILE and data\.train_target=FILE"),
        (
            {"train": five, "train_target": three},
            r"five\.en has 5 lines and .*three\.de has 3.*line 4 of .*five\.en \('d'",
        ),
        ({"train": three, "train_target": five}, r"three\.de has 3 lines and .*five\.en has 5.*line 4 of .*five\.en"),
        ({"train": gap, "train_target": three}, r"gap\.en, line 2: the source is empty"),
        ({"train": three, "train_target": gap}, r"gap\.en, line 2: the target is empty"),
        ({"train": five, "train_target": str(tmp_path / "no")}, r"data\.train_target=.* is not there"),
        ({"train": str(tmp_path / "fivee.en")}, r"data\.train=.* is not there; did you mean five\.en"),
        ({"train": five, "test_target": three}, r"data\.test_target=.* has no sources: give data\.test=FILE"),
        ({"train": tabs}, r"x\.tsv, line 2: 0 tabs, expected a source, a tab and its target"),
        ({"train": named, "source_column": "en"}, r"expected both, or neither"),
        ({"train": named, "source_column": "en", "target_column": "de"}, r"no column 'de' .*its columns are en, fr"),
    ):
        with pytest.raises(UserError, match=said):
            ParallelFiles(**options).load()  # type: ignore[arg-type]


def test_pairs_have_ids_and_groups_of_their_own(tmp_path: Path) -> None:
    rows = (f"{row + 7}\tva {row}\tgo {row}\tdoc{row // 4}" for row in range(40))
    named = write(tmp_path / "b.tsv", "id\tfr\ten\tdoc", *rows)
    columns = {"source_column": "en", "target_column": "fr"}
    source = ParallelFiles(named, **columns, id_column="id", group_column="doc")
    tables = source.load().tables
    assert {split: len(table) for split, table in tables.items()} == {"train": 32, "validation": 4, "test": 4}
    for table in tables.values():
        assert table.keys == [line + 5 for line in table.ids]
        assert table.groups == [f"doc{(line - 2) // 4}" for line in table.ids]
    assert len(set(tables["test"].groups or [])) == 1  # cut by whole documents
    assert source.identity() != ParallelFiles(named, **columns).identity()
    plain = write(tmp_path / "a.tsv", "go\tva\tdoc")
    for options, said in (
        ({"train": plain, "group_column": "doc"}, "data.group_column=doc: expected one file with tabs and a line of"),
        ({"train": plain, "train_target": plain, "id_column": "n", **columns}, "data.id_column=n: expected one file"),
        ({"train": named, "group_column": "page", **columns}, "no column 'page' .data.group_column.: its columns are"),
    ):
        with pytest.raises(UserError, match=said):
            ParallelFiles(**options).load()  # type: ignore[arg-type]
