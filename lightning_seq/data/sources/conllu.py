"""Treebanks: CoNLL-U, as Universal Dependencies has it (universaldependencies.org/format.html)."""

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
    """Reads CoNLL-U: ten columns with a tab between them, an empty line behind each sentence.

    tag_column: `upos`, `xpos`, `feats` (all features of a word as one tag) or `deprel`.

    Tokens are the syntactic words: a range (`1-2`, a word such as `don't` that is two of them) and an empty node
    (`1.1`) are passed over. Raises UserError for another column.
    """

    tag_column: str | int = "upos"

    def __post_init__(self) -> None:
        if self.tag_column not in TAG_COLUMNS:
            raise UserError(f"data.tag_column is {self.tag_column!r}; {near(str(self.tag_column), TAG_COLUMNS)}")

    def to_plain(self) -> Plain:
        return {"tag_column": self.tag_column}

    def table(self, origin: str, text: str) -> TaggedTable:
        """Raises UserError, with file and line, for a line that is not CoNLL-U."""
        tokens: list[list[str]] = []
        tags: list[list[Tag]] = []
        lines: list[list[int]] = []
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
            if apart := _NOT_A_WORD.fullmatch(columns[0]):
                if apart[1] and not last < int(apart[1]) <= int(apart[2]):
                    raise UserError(f"{place}: the range {columns[0]} where word {last + 1} was expected")
                continue
            if columns[0] != str(last + 1):
                raise UserError(
                    f"{place}: id {columns[0]!r} where {last + 1} was expected: "
                    "words are numbered from 1, with an empty line behind each sentence"
                )
            if not columns[1].strip() or not columns[wanted].strip():
                empty = "form" if not columns[1].strip() else self.tag_column
                raise UserError(f"{place}: the column {empty} is empty: expected text, or _ where there is none")
            if not last:
                tokens.append([])
                tags.append([])
                lines.append([])
            tokens[-1].append(columns[1])
            tags[-1].append(columns[wanted])
            lines[-1].append(number)
            last += 1
        return TaggedTable(tokens, tags, [rows[0] for rows in lines], None, origin, lines)
