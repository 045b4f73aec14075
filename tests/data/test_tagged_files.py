from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.sources.conll import Conll
from lightning_seq.data.sources.conllu import Conllu
from lightning_seq.data.sources.tagged_files import TaggedFiles
from lightning_seq.errors import UserError

TREEBANK = """\
# sent_id = 1
# text = I don't know #1.
1\tI\tI\tPRON\tPRP\tCase=Nom|Number=Sing\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\tMood=Ind\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tknow\tknow\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\t_
5\t#1\t#1\tNOUN\tNN\t_\t4\tobj\t_\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

# sent_id = 2
1\t10 000\t10000\tNUM\tCD\t_\t2\tnummod\t_\t_
2\tcame\tcome\tVERB\tVBD\t_\t0\troot\t_\t_
2.1\tcame\tcome\tVERB\tVBD\t_\t_\t_\t0:root\t_
3\thome\thome\tADV\tRB\t_\t2\tadvmod\t_\t_
"""


def changed(line: int, text: str) -> str:
    lines = TREEBANK.split("\n")
    lines[line - 1] = text
    return "\n".join(lines)


def test_a_treebank_by_hand() -> None:
    table = Conllu().table("a.conllu", TREEBANK)
    assert table.tokens == [["I", "do", "n't", "know", "#1", "."], ["10 000", "came", "home"]]
    assert table.tags == [["PRON", "AUX", "PART", "VERB", "NOUN", "PUNCT"], ["NUM", "VERB", "ADV"]]
    assert table.lines == [[3, 5, 6, 7, 8, 9], [12, 13, 15]]
    assert table.ids == [3, 12]
    assert table.place("set", "train", 1, 2) == "a.conllu, line 15"
    windows = Conllu().table("a.conllu", TREEBANK.replace("\n", "\r\n"))
    assert (windows.tokens, windows.tags) == (table.tokens, table.tags)


@pytest.mark.parametrize(
    ("column", "tags"),
    [
        ("xpos", ["CD", "VBD", "RB"]),
        ("deprel", ["nummod", "root", "advmod"]),
        ("feats", ["_", "_", "_"]),
    ],
)
def test_other_columns_of_a_treebank(column: str, tags: list[str]) -> None:
    assert Conllu(column).table("a.conllu", TREEBANK).tags[1] == tags
    with pytest.raises(UserError, match=r"data\.tag_column is 'upso'; did you mean upos"):
        Conllu("upso")


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (5, "2\tdo\tdo\tAUX", "line 5: 4 columns, expected the 10 of CoNLL-U"),
        (5, "2 do do AUX VBP _ 4 aux _ _", "line 5: 1 columns, expected the 10"),
        (6, "4\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_", "line 6: id '4' where 3 was expected"),
        (6, "x\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_", "line 6: id 'x' where 3 was expected"),
        (10, "1\tno\tno\tINTJ\tUH\t_\t0\troot\t_\t_", "line 10: id '1' where 7 was expected.*an empty line"),
        (4, "5-6\tdon't\t_\t_\t_\t_\t_\t_\t_\t_", None),
        (4, "1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_", "line 4: the range 1-2 where word 2 was expected"),
        (6, "3\t\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_", "line 6: the column form is empty"),
        (6, "3\tn't\tnot\t \tRB\t_\t4\tadvmod\t_\t_", "line 6: the column upos is empty"),
    ],
)
def test_a_line_that_is_not_conllu_is_named(line: int, text: str, said: str | None) -> None:
    if said is None:
        assert len(Conllu().table("a.conllu", changed(line, text))) == 2
        return
    with pytest.raises(UserError, match=rf"a\.conllu, {said}"):
        Conllu().table("a.conllu", changed(line, text))


COLUMNS = """\
-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# # B-NP O
8 CD I-NP O
  \t
-DOCSTART- -X- -X- O
Peter NNP B-NP B-PER
"""


def test_columns_by_hand() -> None:
    table = Conll().table("a.txt", COLUMNS)
    assert table.tokens == [["EU", "rejects"], ["#", "8"], ["Peter"]]
    assert table.tags == [["B-ORG", "O"], ["O", "O"], ["B-PER"]]
    assert table.lines == [[3, 4], [6, 7], [10]]
    assert Conll(tag_column=1).table("a.txt", COLUMNS).tags[0] == ["NNP", "VBZ"]
    assert Conll(tag_column=-2).table("a.txt", COLUMNS).tags[0] == ["B-NP", "B-VP"]
    assert Conll(1, 0).table("a.txt", COLUMNS).tokens[0] == ["NNP", "VBZ"]
    tabs = Conll().table("a.txt", "New York\tB-LOC\nis\tO\n")
    assert (tabs.tokens, tabs.tags) == ([["New York", "is"]], [["B-LOC", "O"]])


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("EU NNP O\nrejects O\n", {}, "line 2: 2 columns where the lines before have 3"),
        ("EU\n", {}, "line 1: one column, 'EU': expected a token and its tag"),
        ("EU O\n\nit O\n", {"tag_column": 2}, r"line 1: there is no column 2 \(data.tag_column\): the line has 2"),
        ("EU O\n", {"tokens_column": -3}, r"line 1: there is no column -3 \(data.tokens_column\)"),
        ("EU\t\n", {}, r"line 1: column -1 \(data.tag_column\) is empty"),
    ],
)
def test_a_line_without_its_columns_is_named(text: str, options: dict[str, int], said: str) -> None:
    with pytest.raises(UserError, match=rf"a\.txt, {said}"):
        Conll(**options).table("a.txt", text)


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u0085", "\u2009"])
@pytest.mark.parametrize("apart", [" ", "  ", "\t"])
def test_a_space_inside_a_token_is_no_end_of_a_column(space: str, apart: str) -> None:
    table = Conll().table("a.txt", f"10{space}000{apart}NUM\n{space}x{space}{apart}X\n")
    assert (table.tokens, table.tags) == ([[f"10{space}000", f"{space}x{space}"]], [["NUM", "X"]])


def test_columns_are_numbers() -> None:
    with pytest.raises(UserError, match=r"data\.tag_column is 'ner', expected the number of a column"):
        Conll(tag_column="ner")


def test_splits_that_are_not_given_are_cut_from_train(tmp_path: Path) -> None:
    rows = "".join(f"word{row} N\nruns V\n\n" for row in range(40))
    (tmp_path / "train.txt").write_text("\ufeff" + rows, encoding="utf-8")
    (tmp_path / "test.txt").write_text("one N\n\ntwo V\n")
    source = TaggedFiles(
        str(tmp_path / "train.txt"), test=str(tmp_path / "test.txt"), kind="conll", validation_fraction=0.25
    )
    loaded = source.load()
    assert {split: len(table) for split, table in loaded.tables.items()} == {"train": 30, "validation": 10, "test": 2}
    assert loaded.notes == ["validation: 25% of train, as the source has no such split"]
    both = loaded.tables["train"].ids + loaded.tables["validation"].ids
    assert sorted(both) == list(range(1, 120, 3))
    assert loaded.tables["train"].tokens[0][0] == f"word{loaded.tables['train'].ids[0] // 3}"
    before = source.identity()
    (tmp_path / "test.txt").write_text("one N\n\ntwo N\n")
    assert source.identity() != before


def test_the_directory_of_a_treebank(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        (tmp_path / f"xx_yy-ud-{part}.conllu").write_text(TREEBANK.replace("home", part))
    loaded = TaggedFiles(str(tmp_path), kind="conllu").load()
    assert [table.tokens[1][-1] for table in loaded.tables.values()] == ["train", "dev", "test"]
    own = TaggedFiles(str(tmp_path), kind="conllu", test=str(tmp_path / "xx_yy-ud-dev.conllu")).load()
    assert own.tables["test"].tokens[1][-1] == "dev"
    (tmp_path / "zz-ud-dev.conllu").write_text(TREEBANK)
    with pytest.raises(UserError, match=r"has 2 files \*-dev\.conllu, xx_yy-ud-dev\.conllu and zz-ud-dev\.conllu"):
        TaggedFiles(str(tmp_path), kind="conllu").load()
    (tmp_path / "xx_yy-ud-train.conllu").unlink()
    (tmp_path / "zz-ud-dev.conllu").unlink()
    with pytest.raises(UserError, match=r"has no \*-train\.conllu to train on \(.*xx_yy-ud-dev\.conllu"):
        TaggedFiles(str(tmp_path), kind="conllu").identity()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a N\n")
    (tmp_path / "none.txt").write_text("-DOCSTART- O\n")
    for kind, train, said in (
        ("conll", None, r"give data\.train=FILE"),
        ("conllu", None, r"give data\.train=FILE, or for data=conllu data\.train=DIR"),
        ("conll", tmp_path / "tran.txt", r"is not there; did you mean train\.txt"),
        ("conll", tmp_path / "sub" / "a.txt", r"there is no directory"),
        ("conll", tmp_path, r"is a directory: expected a file"),
        ("conll", tmp_path / "none.txt", r"none\.txt has no sentences"),
    ):
        with pytest.raises(UserError, match=said):
            TaggedFiles(str(train) if train else None, kind=kind).load()  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "line"), [("conll", "{} X"), ("conllu", "1\t{0}\t_\tX" + "\t_" * 6)])
def test_tagged_files_are_read_in_their_encoding(tmp_path: Path, kind: Any, line: str) -> None:
    (tmp_path / "file").write_bytes(f"{line.format('été')}\r\n\r\n".encode("cp1252"))
    path = str(tmp_path / "file")
    with pytest.raises(UserError, match=r"line 1: not UTF-8 .*give data.encoding=cp1252$"):
        TaggedFiles(path, path, path, kind=kind).load()
    table = TaggedFiles(path, path, path, kind=kind, encoding="cp1252").load().tables["train"]
    assert table.tokens == [["été"]]


def test_sentences_of_one_document_are_in_one_split(tmp_path: Path) -> None:
    part = "# newdoc id = {}\n" + "1\ta\ta\tX\tX\t_\t0\troot\t_\t_\n\n" * 4
    (tmp_path / "train.conllu").write_text("".join(part.format(number) for number in range(10)))
    source = TaggedFiles(str(tmp_path / "train.conllu"), kind="conllu")
    loaded = source.load()
    assert {split: len(table) for split, table in loaded.tables.items()} == {"train": 32, "validation": 4, "test": 4}
    documents = {split: source.groups_of(split, np.array(table.ids)) for split, table in loaded.tables.items()}
    sets = {split: set(of_split.tolist()) for split, of_split in documents.items() if of_split is not None}
    assert [len(of_split) for of_split in sets.values()] == [8, 1, 1]
    assert len(set().union(*sets.values())) == 10
