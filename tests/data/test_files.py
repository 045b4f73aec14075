"""The user's own files, and one clear line for each thing that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.data.sources.adding import Adding
from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.files import Files
from lightning_seq.data.sources.public import LabelledTexts, RunningText
from lightning_seq.data.sources.table import Cut, Table, cut, drawn_splits, empty_split
from lightning_seq.errors import UserError


def written(directory: Path, content: str | bytes, name: str = "train.csv") -> str:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def read(kind: str, path: str, **options: Any) -> Table:
    return Files(path, path, path, kind=kind, **options).load().tables["train"]


def test_csv_with_quotes_lines_inside_them_and_a_byte_order_mark(tmp_path: Path) -> None:
    content = '\ufefflabel,id,text\r\ngood,1,"one, two"\r\nbad,2,"three\nfour ""five"""\r\n\r\ngood,3,six\r\n'
    table = read("csv", written(tmp_path, content))
    assert table.texts == ["one, two", 'three\nfour "five"', "six"]
    assert table.labels == ["good", "bad", "good"]
    assert table.ids == [2, 3, 6]


def test_tsv_and_columns_by_name(tmp_path: Path) -> None:
    table = read("tsv", written(tmp_path, "review\tstars\na, b\t5\nc\t1\n"), text_column="review", label_column="stars")
    assert (table.texts, table.labels) == (["a, b", "c"], ["5", "1"])


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b", "label": 1}, {"label": "x", "text": "c", "more": None}, {"text": "d", "label": True}]
    content = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    table = read("jsonl", written(tmp_path, content))
    assert (table.texts, table.labels, table.ids) == (["a\u2028b", "c", "d"], ["1", "x", "True"], [1, 3, 5])


def test_text_with_a_tab_or_as_fasttext_has_it(tmp_path: Path) -> None:
    table = read("text", written(tmp_path, "good\tit is a\tb\r\n\n__label__bad no, it is not\n"))
    assert (table.texts, table.labels, table.ids) == (["it is a\tb", "no, it is not"], ["good", "bad"], [1, 3])


MISTAKES = [
    ("jsonl", '{"text": "a", "label": "x", "text": "b"}\n', r"line 1: not JSON \(the key 'text' is given twice\)"),
    ("text", "a\tone two\nb\tthree\ra\tfour\n", r"line 2: a carriage return inside the line"),
    ("csv", "", r"train\.csv is empty"),
    ("csv", " \n\n", r"train\.csv is empty"),
    ("csv", "text,label\n", r"no examples"),
    ("csv", "text,mark\na,b\n", r"no column 'label' \(data\.label_column\): its columns are text, mark"),
    ("csv", "txt,label\na,b\n", r"no column 'text' \(data\.text_column\)"),
    ("csv", "text,label\na,b\nc,\n", r"line 3: label missing"),
    ("csv", "text,label\na,b\n ,x\n", r"line 3: the sentence is empty"),
    ("csv", "text,label\n\n\na, and b,x\n", r"line 4: 3 values where the header has 2.*quotes"),
    ("csv", 'text,label\n"a\nb",x\n"c,y\n', r"line 4: not csv"),
    ("jsonl", '{"text": "a", "label": "b"}\n{"text": \n', r"line 2: not JSON"),
    ("jsonl", '{"text": "a", "label": "b"}\n' + "[" * 100_000, r"line 2: not JSON"),
    ("jsonl", '{"text": "a", "label": "b"}\n["a"]\n', r"line 2: list, expected an object"),
    ("jsonl", '{"text": "a", "label": "b"}\n{"text": "c"}\n', r"line 2: label missing.*its columns are text"),
    ("jsonl", '{"text": "a", "label": null}\n', r"line 1: label missing or out of range, it is None"),
    ("jsonl", '{"text": "a", "label": 0.5}\n', r"line 1: label missing or out of range, it is 0\.5"),
    ("jsonl", '{"text": 7, "label": "b"}\n', r"line 1: 'text' is 7, expected text"),
    ("text", "good\ta\nb\n", r"line 2: label missing"),
    ("text", "good\ta\n\tb\n", r"line 2: label missing"),
    ("text", "good\t \n", r"line 1: the sentence is empty"),
    ("text", "__label__a __label__b c\n", r"line 1: two labels"),
]


@pytest.mark.parametrize(("kind", "content", "said"), MISTAKES)
def test_mistakes_are_named_with_file_and_line(tmp_path: Path, kind: str, content: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        read(kind, written(tmp_path, content))
    assert "train.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_text_that_is_not_utf8_is_named_with_line_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path, b"text,label\nfine,a\ncaf\xe9,b\n")
    with pytest.raises(UserError, match=r"train\.csv, line 3: not UTF-8 \(byte 0xe9; cp1252 reads 'café,b'"):
        read("csv", path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    written(tmp_path, "text,label\na,b\n", "reviews.csv")
    with pytest.raises(UserError, match=r"data\.train=.*did you mean reviews\.csv"):
        Files(str(tmp_path / "review.csv"), kind="csv").identity()
    with pytest.raises(UserError, match="no directory"):
        Files(str(tmp_path / "nowhere" / "a.csv"), kind="csv").load()
    with pytest.raises(UserError, match="is a directory"):
        Files(str(tmp_path), kind="csv").load()
    with pytest.raises(UserError, match=r"give data\.train=FILE"):
        Files(None, kind="csv")
    with pytest.raises(UserError, match=r"'cvs'.*did you mean csv"):
        Files("a", kind="cvs")


def test_splits_that_are_not_given_are_cut_from_train_by_class(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"{'rare' if row % 5 == 0 else 'often'}\tsentence {row}\n" for row in range(1000)))
    loaded = Files(path, kind="text", test_fraction=0.2, split_seed=4).load()
    sizes = {split: (len(table), table.labels.count("rare")) for split, table in loaded.tables.items()}
    assert sizes == {"train": (700, 140), "validation": (100, 20), "test": (200, 40)}
    lines = [line for table in loaded.tables.values() for line in table.ids]
    assert sorted(lines) == list(range(1, 1001))
    assert len(loaded.notes) == 2
    again = Files(path, kind="text", test_fraction=0.2, split_seed=4).load()
    assert again.tables == loaded.tables
    assert Files(path, kind="text", test_fraction=0.2, split_seed=5).load().tables != loaded.tables


def test_cut_is_random_within_a_class() -> None:
    table = Table([str(row) for row in range(100)], ["a"] * 100, list(range(100)))
    rest, chosen = cut(table, 0.3, [1])
    assert (len(rest), len(chosen)) == (70, 30)
    assert chosen.ids != list(range(30))
    uneven = Table([str(row) for row in range(10)], ["a"] * 7 + ["b"] * 3, list(range(10)))
    assert sorted(cut(uneven, 0.25, [1])[1].labels) == ["a", "a", "b"]  # 1.75 and 0.75 of them


def test_shares_that_leave_nothing_to_train_on_are_to_be_smaller(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"{'ab'[row % 2]}\tsentence {row}\n" for row in range(40)))
    with pytest.raises(UserError, match=r"validation_fraction=0.6 and data.test_fraction=0.5 .* below 1, give smaller"):
        Files(path, kind="text", validation_fraction=0.6, test_fraction=0.5).load()
    assert (
        len(Files(path, kind="text", test=path, validation_fraction=0.6, test_fraction=0.5).load().tables["train"])
        == 16
    )  # one alone is cut
    assert "smaller" in str(empty_split("x", "train", "one"))
    assert "a larger data.test_fraction" in str(empty_split("x", "test", "one"))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5])
def test_a_share_that_cannot_be(fraction: float) -> None:
    with pytest.raises(UserError, match=r"validation_fraction"):
        Cut(validation_fraction=fraction)


def test_a_quotation_mark_in_a_tsv_file_is_a_character(tmp_path: Path) -> None:
    rows = ['the "quite good superb\tpos', "story story awful\tneg", '"very nice actor"\tpos', 'dull poor plot "\tneg']
    path = written(tmp_path, "\n".join(["text\tlabel", *rows]) + "\n", "quotes.tsv")
    table = read("tsv", path)
    assert table.texts == [row.partition("\t")[0] for row in rows]
    assert table.ids == [2, 3, 4, 5]
    crlf = written(tmp_path, "\r\n".join(["text\tlabel", *rows]) + "\r\n", "crlf.tsv")
    assert (read("tsv", crlf).texts, read("tsv", crlf).labels) == (table.texts, table.labels)
    quoted = read("tsv", written(tmp_path, 'text\tlabel\n"a ""b""\tc"\tpos\n', "quoted.tsv"), quotes=True)
    assert quoted.texts == ['a "b"\tc']
    assert Files(path, kind="tsv").identity() != Files(path, kind="tsv", quotes=True).identity()


def test_a_quoted_field_of_a_tsv_file_holds_no_other_lines(tmp_path: Path) -> None:
    path = written(tmp_path, 'text\tlabel\n"quite good\tpos\nstory awful\tneg\nnice"\tpos\n', "run.tsv")
    with pytest.raises(UserError, match=r"line 2: a field in quotes runs on to line 4, with tabs in it"):
        read("tsv", path, quotes=True)
    assert len(read("tsv", path)) == 3


def test_a_quoted_field_of_a_csv_file_holds_no_other_examples(tmp_path: Path) -> None:
    rows = ["good,pos", '"quite good,pos', "story awful,neg", 'nice",pos', "poor,neg"]
    path = written(tmp_path, "\n".join(["text,label", *rows]) + "\n")
    with pytest.raises(UserError, match=r"line 3: a field in quotes runs on to line 5, with commas in it: check the"):
        read("csv", path)
    assert len(read("csv", path, quotes=False)) == 5  # both ways that are advised
    assert len(read("csv", path, quotes=True)) == 3
    assert len(read("csv", written(tmp_path, 'text,label\n"one,\ntwo, three",pos\nb,neg\n'))) == 2
    assert len(read("csv", written(tmp_path, 'label,text\npos,"one\ntwo"\nneg,b\npos,c\n'))) == 3


def test_a_carriage_return_ends_no_line(tmp_path: Path) -> None:
    assert read("tsv", written(tmp_path, "text\tlabel\r\na\rb\tx\r\nc\ty\n")).texts == ["a\rb", "c"]
    assert read("csv", written(tmp_path, 'text,label\r\n"a\rb",x\r\nc,y\n')).texts == ["a\rb", "c"]
    assert read("text", written(tmp_path, "x\ta\rb\r\ny\tc\n")).texts == ["a\rb", "c"]
    with pytest.raises(UserError, match=r"line 1: a carriage return outside quotes: expected a line feed at the end"):
        read("csv", written(tmp_path, "text,label\ra,x\rc,y\r"))


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        ("tsv", "a\tb\tx", r"3 values where the header has 2: a text has no tabs in it$"),
        ("tsv", '"a\tb"\tx', r"a text has no tabs in it, unless the file quotes texts: data.quotes=true$"),
        ("tsv", "a", r"1 values where the header has 2: expected a value for every column$"),
        ("csv", "a,b,x", r"a text with commas in it needs quotes around it"),
        ("csv", "a", r"expected a value for every column$"),
    ],
)
def test_advice_on_ragged_rows_fits_the_row(tmp_path: Path, kind: str, row: str, said: str) -> None:
    header = {"tsv": "text\tlabel", "csv": "text,label"}[kind]
    with pytest.raises(UserError, match=f"line 3: .*{said}"):
        read(kind, written(tmp_path, f"{header}\n{header}\n{row}\n"))


def test_empty_lines_before_the_header(tmp_path: Path) -> None:
    table = read("csv", written(tmp_path, "\n\ntext;label\na;x\n"))
    assert (table.texts, table.ids) == (["a"], [4])


def test_columns_that_are_not_named_or_named_twice(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"its columns are good, pos; give data.text_column=NAME, or write the names of"
    ):
        read("csv", written(tmp_path, "good,pos\nbad,neg\n"))
    with pytest.raises(
        UserError, match=r"2 columns called 'text' .*: expected one; rename the other in the first line"
    ):
        read("csv", written(tmp_path, "text,text,label\na,b,x\n"))


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_a_delimiter_is_found_and_told(tmp_path: Path, mark: str, name: str) -> None:
    path = written(tmp_path, f"id{mark}text{mark}label\n1{mark}a, b{mark}pos\n2{mark}c{mark}neg\n", "other.csv")
    loaded = Files(path, kind="csv", validation=path, test=path).load()
    assert loaded.tables["train"].texts == ["a, b", "c"]
    assert loaded.notes[0] == f"other.csv: fields are separated by {name} (data.delimiter)"
    assert read("csv", path, delimiter=mark).texts == ["a, b", "c"]
    with pytest.raises(UserError, match="has no column 'text'"):
        read("csv", path, delimiter=",")


@pytest.mark.parametrize("given", [{"delimiter": ""}, {"delimiter": "ab"}, {"encoding": "utf-7000"}, {"quotes": "so"}])
def test_a_format_that_there_is_not(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"data.{next(iter(given))} is "):
        Files("a.csv", kind="csv", **given)


@pytest.mark.parametrize(("encoding", "advised"), [("cp1252", "cp1252"), ("utf-16", "utf-16")])
def test_another_encoding_is_named_and_read(tmp_path: Path, encoding: str, advised: str) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes("text,label\nça va,pos\nd’été,neg\n".encode(encoding))
    with pytest.raises(UserError, match=f"(expected utf-8|not UTF-8).*or give data.encoding={advised}$"):
        read("csv", str(path))
    assert read("csv", str(path), encoding=advised).texts == ["ça va", "d’été"]


def test_texts_over_several_lines_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, 'text,label\n"one,\ntwo",pos\nthree,neg\n', "long.csv")
    loaded = Files(path, kind="csv", validation=path, test=path).load()
    assert "long.csv: 1 quoted text with line ends inside" in loaded.notes


def test_half_a_character_is_refused_by_its_line(tmp_path: Path) -> None:
    line = '{"text": "a", "label": "x"}\n'
    path = written(tmp_path, line + '{"text": "b \\ud83d", "label": "x"}\n', "half.jsonl")
    with pytest.raises(UserError, match=r"line 2: \\ud83d alone is half a character"):
        read("jsonl", path)


def test_numbers_are_no_classes(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\n" + "".join(f"word,{number / 7:.3f}\n" for number in range(20)), "scores.csv")
    with pytest.raises(UserError, match=r"the labels are numbers .* write a class for each range"):
        read("csv", path)


def test_examples_in_groups_are_cut_by_whole_groups(tmp_path: Path) -> None:
    """Ten authors of 3 to 12 examples: no author is in two splits, which have about their shares of the examples."""
    rows = [f"text {author} {row},{'ab'[row % 2]},author {author}" for author in range(10) for row in range(author + 3)]
    path = written(tmp_path, "\n".join(["text,label,author", *rows, ""]))
    options: dict[str, Any] = {"kind": "csv", "test_fraction": 0.2, "group_column": "author"}
    loaded = Files(path, **options).load()
    assert loaded.notes == [
        "test: 20% of train in whole groups, as the source has no such split",
        "validation: 10% of train in whole groups, as the source has no such split",
    ]
    sets = {split: set(table.groups or []) for split, table in loaded.tables.items()}
    assert sum(map(len, sets.values())) == len(set().union(*sets.values())) == 10
    sizes = {split: len(table) for split, table in loaded.tables.items()}
    assert sum(sizes.values()) == 75
    assert abs(sizes["test"] - 15) <= 6
    assert abs(sizes["validation"] - 7.5) <= 6
    assert Files(path, **options, split_seed=2).load().tables["test"].ids != loaded.tables["test"].ids
    assert Files(path, **options).load().tables == loaded.tables
    alone = Files(path, kind="csv", test_fraction=0.2)
    assert Files(path, **options).identity()["whole_groups"] is True  # type: ignore[index, call-overload]
    assert "whole_groups" not in alone.identity()  # type: ignore[operator]


def test_one_group_at_least_is_cut_and_one_is_left() -> None:
    table = Table([str(row) for row in range(4)], ["a"] * 4, list(range(4)))
    rest, chosen = cut(table, 0.01, [1], groups=["x", "x", "y", "y"])
    assert (len(rest), len(chosen)) == (2, 2)
    assert len(cut(table, 0.99, [1], groups=["x", "x", "y", "y"])[0]) == 2


def test_the_splits_that_a_seed_draws(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"{'ab'[row % 2]}\tsentence {row}\n" for row in range(40)))
    assert drawn_splits(Files(path, kind="text")) == ("train", "validation", "test")
    assert drawn_splits(Files(path, kind="text", test=path)) == ("train", "validation")
    assert drawn_splits(Files(path, path, path, kind="text")) == ()
    assert drawn_splits(VersesGenre()) == drawn_splits(Adding()) == ("train", "validation", "test")
    hub = {"id": "a/b"}
    assert drawn_splits(LabelledTexts(hub)) == ()
    given = {"train": "train", "validation": None, "test": "test"}
    assert drawn_splits(LabelledTexts(hub, splits=given)) == ("train", "validation")
    assert drawn_splits(RunningText(hub, splits=given)) == ()
    assert drawn_splits(RunningText(hub, splits=given, split_seed=1)) == ("train", "validation")
    assert drawn_splits(object()) == ()
