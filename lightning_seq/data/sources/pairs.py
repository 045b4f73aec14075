"""What every source of pairs of texts gives, and how a public set's columns become them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

from lightning_seq.data.sources.columns import check_splits, chosen_splits, keys_of
from lightning_seq.data.sources.table import SPLITS, Cut, Keys, Loaded, Source, taken
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.printable import number_of
from lightning_seq.value_types import Size

Link: TypeAlias = tuple[int, int, int, int]
"""Characters of a target text that come from characters of its source: target from, to; source from, to (exclusive)."""

_TRANSLATION = "translation"


@dataclass(frozen=True)
class PairTable:
    """Texts and what they become: the examples of one split.

    ids:   what the source calls each example: its row, its verse, its line.
    links: of each example, or None where they are unknown; characters in no link come from nowhere, or go nowhere.
    keys:  what the user's own column of ids calls each example, or None.
    """

    sources: list[str]
    targets: list[str]
    ids: list[int]
    links: list[list[Link]] | None = None
    keys: Keys | None = None

    @property
    def strata(self) -> Sequence[str]:
        return [""] * len(self)

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, rows: Iterable[int]) -> PairTable:
        rows = list(rows)
        return PairTable(
            [self.sources[row] for row in rows],
            [self.targets[row] for row in rows],
            [self.ids[row] for row in rows],
            [self.links[row] for row in rows] if self.links is not None else None,
            taken(self.keys, rows),
        )


PairSource: TypeAlias = Source[Loaded[PairTable]]


@runtime_checkable
class Bilingual(Protocol):
    """A source that knows the languages of its pairs."""

    @property
    def language_pair(self) -> tuple[str | None, str | None]:
        """Of the sources and of the targets; None where they are unknown."""
        ...


@dataclass(frozen=True)
class PairColumns:
    """Which columns and splits of a public set of pairs are used.

    source_language, target_language: names of columns, or of languages in a column `translation` (`{en: …, de: …}`).
    source_column, target_column: columns whose names are no languages; they go before.
    rows:        of the train split, from its beginning, or None for all.
    splits, cut, id_column: as in `Columns`.
    """

    source_language: str | None = None
    target_language: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    rows: Size | None = None
    splits: Mapping[str, str | None] = field(default_factory=lambda: {split: split for split in SPLITS})
    cut: Cut = field(default_factory=Cut)
    id_column: str | None = None

    def __post_init__(self) -> None:
        check_splits(self.splits)
        for side in ("source", "target"):
            if not getattr(self, f"{side}_language") and not getattr(self, f"{side}_column"):
                raise UserError(
                    f"data.{side}_language is not given: expected a language of the set, such as en, "
                    f"or data.{side}_column=NAME"
                )
        if self.rows is not None and (isinstance(self.rows, bool) or self.rows < 1):
            raise UserError(f"data.rows is {self.rows}, expected at least 1, or null for all of the train split")

    def to_plain(self) -> Plain:
        return {
            "source": [self.source_language, self.source_column],
            "target": [self.target_language, self.target_column],
            "rows": self.rows,
            "splits": {split: self.splits.get(split) for split in SPLITS},
            "cut": self.cut.to_plain(),
            **({"ids": self.id_column} if self.id_column else {}),
        }

    def read(self, sets: Any, name: str, revision: str | None) -> Loaded[PairTable]:
        """Tables from a `datasets.DatasetDict`; rows that are empty on a side are left out, with a note.

        Raises UserError for a split, a column or a language that is not there, and for what is not text.
        """
        tables, notes = {}, []
        for split, rows, place in chosen_splits(sets, self.splits, name):
            if split == "train" and self.rows is not None and self.rows < len(rows):
                notes.append(f"train: the first {self.rows:,} rows of {len(rows):,} (data.rows)")
                rows = rows.select(range(self.rows))
            table = self._table(rows, place)
            if empty := len(rows) - len(table):
                notes.append(f"{split}: {number_of(empty, 'row')} without a text on one side left out")
            tables[split] = table
        completed, cuts = self.cut.completed(tables)
        return Loaded(completed, None, revision, [*notes, *cuts])

    def _table(self, rows: Any, name: str) -> PairTable:
        flat = rows.flatten()
        columns = [self._column(flat, side, name) for side in ("source", "target")]
        table = PairTable([], [], [])
        for row, pair in enumerate(zip(*(flat[column] for column in columns), strict=True)):
            for column, text in zip(columns, pair, strict=True):
                if text is not None and not isinstance(text, str):
                    raise UserError(
                        f"{name}, row {row}: {column!r} is {type(text).__name__}, expected text: "
                        "check data.source_column and data.target_column"
                    )
            source, target = pair
            if source and target and source.strip() and target.strip():
                table.sources.append(source)
                table.targets.append(target)
                table.ids.append(row)
        return replace(table, keys=taken(keys_of(rows, self.id_column, name), table.ids)) if self.id_column else table

    def _column(self, rows: Any, side: str, name: str) -> str:
        there: list[str] = rows.column_names
        if column := getattr(self, f"{side}_column"):
            if column not in there:
                raise UserError(
                    f"{name} has no column {column!r} (data.{side}_column): its columns are {', '.join(there)}"
                )
            return str(column)
        language = getattr(self, f"{side}_language")
        for column in (f"{_TRANSLATION}.{language}", language):
            if column in there:
                return str(column)
        inside = [column.removeprefix(f"{_TRANSLATION}.") for column in there if column.startswith(f"{_TRANSLATION}.")]
        raise UserError(
            f"{name} has no language {language!r} (data.{side}_language); {near(str(language), inside or there)}"
        )
