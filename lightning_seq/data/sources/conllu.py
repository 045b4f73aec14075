"""Treebanks in CoNLL-U, the format of Universal Dependencies (universaldependencies.org/format.html)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.text.bio_tags import Tag
from lightning_seq.text.lines import split_lines

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
TAG_COLUMNS = ("upos", "xpos", "feats", "deprel")
_NOT_A_WORD = re.compile(r"(\d+)-(\d+)|\d+\.\d+")


@dataclass(frozen=True)
class Conllu:
    """Reads CoNLL-U: ten columns with a tab between them, an empty line after each sentence.

    tag_column: `upos`, `xpos`, `feats` (all features of a word as one tag) or `deprel`.

    Tokens are the syntactic words: ranges (`1-2`, for a word such as `don't`) and empty nodes (`1.1`) are left out.
    Raises UserError for another column.
    """

    tag_column: str | int = "upos"

    document = "# newdoc"
    """Begins a line before the first sentence of a document."""

    def __post_init__(self) -> None:
        if self.tag_column not in TAG_COLUMNS:
            raise UserError(f"data.tag_column is {self.tag_column!r}; {near(str(self.tag_column), TAG_COLUMNS)}")

    def to_plain(self) -> Plain:
        return {"tag_column": self.tag_column}

    def table(self, origin: str, text: str) -> TaggedTable:
        """Raises UserError, with file and line, for a line that is not CoNLL-U."""
        sentences: list[list[tuple[str, Tag, int]]] = []
        wanted, last = COLUMNS.index(str(self.tag_column)), 0
        for number, line in enumerate(split_lines(text), 1):
            if not line.strip():
                last = 0
                continue
            if line.startswith("#"):
                continue
            place = f"{origin}, line {number}"
            columns = line.split("\t")
            if len(columns) != len(COLUMNS):
                raise UserError(
                    f"{place}: {len(columns)} columns, expected the {len(COLUMNS)} of CoNLL-U with a tab between them"
                )
            if span := _NOT_A_WORD.fullmatch(columns[0]):
                if span[1] and not last < int(span[1]) <= int(span[2]):
                    raise UserError(f"{place}: the range {columns[0]} where word {last + 1} was expected")
                continue
            if columns[0] != str(last + 1):
                raise UserError(
                    f"{place}: id {columns[0]!r} where {last + 1} was expected: "
                    "words are numbered from 1, with an empty line after each sentence"
                )
            if not columns[1].strip() or not columns[wanted].strip():
                empty = "form" if not columns[1].strip() else self.tag_column
                raise UserError(f"{place}: the column {empty} is empty: expected text, or _ for no value")
            if not last:
                sentences.append([])
            sentences[-1].append((columns[1], columns[wanted], number))
            last += 1
        return TaggedTable.of_file(origin, sentences)
