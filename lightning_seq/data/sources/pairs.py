"""Pairs of texts, and their reading from the columns of a public set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, runtime_checkable

from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns, names_of
from lightning_seq.data.sources.keys import NameColumns, check_apart
from lightning_seq.data.sources.table import Cut, Examples, Keys, Loaded, Source
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.printable import number_of
from lightning_seq.value_types import Size

Link: TypeAlias = tuple[int, int, int, int]
"""Characters of a target text that come from characters of its source: target from, to; source from, to (exclusive)."""

_TRANSLATION = "translation."


@dataclass(frozen=True)
class PairTable(Examples):
    """Source and target texts: the examples of one split.

    ids:    of the source: rows, verses, lines.
    links:  of each example, or None where they are unknown; a character in no link has no counterpart.
    keys:   the values of the user's own column of ids, or None.
    groups: the values of the user's own column of groups, or None.
    """

    sources: list[str]
    targets: list[str]
    ids: list[int]
    links: list[list[Link]] | None = None
    keys: Keys | None = None
    groups: Keys | None = None


def linked_pairs(pairs: Sequence[tuple[str, str, list[Link]]]) -> PairTable:
    """Sources, targets and their links, numbered from 0."""
    sources, targets, links = ([*column] for column in zip(*pairs, strict=True))
    return PairTable(sources, targets, list(range(len(pairs))), links)


PairSource: TypeAlias = Source[Loaded[PairTable]]


@runtime_checkable
class Bilingual(Protocol):
    """A source that knows the languages of its pairs."""

    @property
    def language_pair(self) -> tuple[str | None, str | None]:
        """Of the sources and of the targets; None where they are unknown."""
        ...


@dataclass(frozen=True)
class PairColumns(NameColumns, Reading[Loaded[PairTable]], Cut):
    """Reads pairs of texts.

    source_language, target_language: names of columns, or of languages in a column `translation` (`{en: …, de: …}`).
    source_column, target_column: columns whose names are not languages; they count first.
    rows: of the train split, from its beginning; None: all.
    """

    source_language: str | None = None
    target_language: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    rows: Size | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("source", "target"):
            if not getattr(self, f"{side}_language") and not getattr(self, f"{side}_column"):
                raise UserError(
                    f"data.{side}_language is not given: expected a language of the set, such as en, "
                    f"or data.{side}_column=NAME"
                )
        check_apart(source_column=self.source_column, target_column=self.target_column)
        if not self.source_column and not self.target_column:
            check_apart(source_language=self.source_language, target_language=self.target_language)

    def to_plain(self) -> Plain:
        return {
            "source": [self.source_language, self.source_column],
            "target": [self.target_language, self.target_column],
            "rows": self.rows,
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[PairTable]:
        """Leaves out rows without a source or without a target, with a note.

        Raises UserError for a missing split, column or language, and for a value that is not text.
        """
        tables, notes = {}, []
        for split, rows, place in self.chosen(sets, name):
            if split == "train" and self.rows is not None and self.rows < len(rows):
                notes.append(f"train: the first {self.rows:,} rows of {len(rows):,} (data.rows)")
                rows = rows.select(range(self.rows))
            table = self._table(rows, place)
            if empty := len(rows) - len(table):
                notes.append(f"{split}: {number_of(empty, 'row')} without a text on one side left out")
            tables[split] = table
        return self.loaded(tables, revision=revision, notes=notes)

    def _table(self, rows: ColumnRows, name: str) -> PairTable:
        flat = rows.flatten()
        columns = [self._column(flat, side, name) for side in ("source", "target")]
        table = PairTable([], [], [])
        for row, cells in enumerate(zip(*(flat[column] for column in columns), strict=True)):
            for column, cell in zip(columns, cells, strict=True):
                if cell is not None and not isinstance(cell, str):
                    raise UserError(
                        f"{name}, row {row}: {column!r} is {type(cell).__name__}, expected text: "
                        "check data.source_column and data.target_column"
                    )
            source, target = (str(cell or "") for cell in cells)
            if source.strip() and target.strip():
                table.sources.append(source)
                table.targets.append(target)
                table.ids.append(row)
        keys, groups = names_of(rows, self, name, table.ids)
        return replace(table, keys=keys, groups=groups)

    def _column(self, rows: ColumnRows, side: str, name: str) -> str:
        if column := getattr(self, f"{side}_column"):
            check_columns(rows, {f"{side}_column": column}, name)
            return str(column)
        language = str(getattr(self, f"{side}_language"))
        columns = rows.column_names
        for column in (f"{_TRANSLATION}{language}", language):
            if column in columns:
                return column
        languages = [column.removeprefix(_TRANSLATION) for column in columns if column.startswith(_TRANSLATION)]
        raise UserError(
            f"{name} has no language {language!r} (data.{side}_language); {near(language, languages or columns)}"
        )
