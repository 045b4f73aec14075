"""Columns of words and tags, in the format of the shared tasks of CoNLL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_seq.data.sources.keys import check_apart
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.bio_tags import Tag
from lightning_seq.text.conll import fields
from lightning_seq.text.lines import check_line_ends, split_lines


@dataclass(frozen=True)
class Conll:
    """Reads one token a line, with tabs between its columns or, in a line without tabs, spaces; an empty line ends a
    sentence. Lines that begin with `-DOCSTART-` are left out.

    tokens_column, tag_column: counted from 0, or from the end: -1 is the last.

    Raises UserError for a column that is not a whole number.
    """

    tokens_column: int = 0
    tag_column: str | int = -1

    document = "-DOCSTART-"
    """Begins a line before the first sentence of a document."""

    def __post_init__(self) -> None:
        for name in ("tokens_column", "tag_column"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UserError(
                    f"data.{name} is {value!r}, expected the number of a column: 0 is the first, -1 the last"
                )
        check_apart(tokens_column=self.tokens_column, tag_column=self.tag_column)

    def to_plain(self) -> Plain:
        return {"tokens_column": self.tokens_column, "tag_column": self.tag_column}

    def table(self, origin: str, text: str) -> TaggedTable:
        """Raises UserError, with file and line, for lines of unequal columns and for a missing column."""
        sentences: list[list[tuple[str, Tag, int]]] = []
        width, inside, lines = 0, False, split_lines(text)
        check_line_ends(Path(origin), lines, (" ", "\t"))
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith(self.document):
                inside = False
                continue
            columns = [column.strip(" ") for column in line.split("\t")] if "\t" in line else fields(line)
            self._check(columns, width, f"{origin}, line {number}")
            width = width or len(columns)
            if not inside:
                sentences.append([])
            inside = True
            sentences[-1].append((columns[self.tokens_column], columns[int(self.tag_column)], number))
        return TaggedTable.of_file(origin, sentences)

    def _check(self, columns: list[str], width: int, place: str) -> None:
        if width and len(columns) != width:
            raise UserError(
                f"{place}: {len(columns)} columns where the lines before have {width}: "
                "expected as many on every line, and an empty line after each sentence"
            )
        if len(columns) < 2:
            raise UserError(f"{place}: one column, {columns[0]!r}: expected a token and its tag")
        for name, column in (("tokens_column", self.tokens_column), ("tag_column", int(self.tag_column))):
            if not -len(columns) <= column < len(columns):
                raise UserError(f"{place}: there is no column {column} (data.{name}): the line has {len(columns)}")
            if not columns[column]:
                raise UserError(f"{place}: column {column} (data.{name}) is empty: expected a token and its tag")
