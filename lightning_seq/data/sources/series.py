"""Series in files of the user, on the Hub or in a mirror of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.columns import Reading, Sets
from lightning_seq.data.sources.panel import Panel
from lightning_seq.data.sources.panel_columns import Columns, PanelColumns
from lightning_seq.data.sources.public import PublicSet
from lightning_seq.data.sources.split_files import SplitFiles
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import Plain
from lightning_seq.text.lines import split_lines
from lightning_seq.value_types import ArgumentsOf, Part

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class SeriesOfSet(Reading[Panel], PanelColumns):
    """Reads the series of a public set, see `PanelColumns`; its splits follow each other in time."""

    validation_fraction: Part = 0.15
    test_fraction: Part = 0.15

    def to_plain(self) -> Plain:
        return {**self.column_settings(), "splits": self.own_splits}

    def read(self, sets: Sets, name: str, revision: str | None) -> Panel:
        """Raises UserError for a missing split or column, and for anything but regular series of numbers."""
        self.check_trainable(sets, name)
        parts = [(SPLITS.index(split), rows) for split, rows, _ in self.chosen(sets, name)]
        columns: dict[str, list[object]] = {}
        for column in parts[0][1].column_names:
            columns[column] = [value for _, rows in parts for value in rows[column]]
        split = np.repeat([part for part, _ in parts], [len(rows) for _, rows in parts])
        return self.panel({**columns}, name, split if len(parts) > 1 else None, revision)


class SeriesSet(PublicSet[Panel]):
    """Series of a public set; without an id of the Hub they are in a mirror alone.

    Raises UserError for a set that is neither on the Hub nor in a mirror.
    """

    reading = SeriesOfSet

    def __init__(
        self,
        hub: Mapping[str, object] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        **columns: Annotated[object, ArgumentsOf("reading")],
    ) -> None:
        settings = self.hub_settings(hub)
        place = settings.get("id") or (mirror and mirror_path)
        if not place:
            raise UserError(
                f"{mirror_path or 'it'} is not on the Hub: give data.mirror=DIR (or LIGHTNING_SEQ_MIRROR), a directory "
                f"in Hub layout with {mirror_path or 'it'}/, or your own file, data=series data.train=FILE"
            )
        super().__init__({**settings, "id": place}, mirror, mirror_path, mirror_config, **columns)


@dataclass(frozen=True, kw_only=True)
class SeriesFiles(SplitFiles, PanelColumns):
    """Series in the user's files: CSV or TSV with a header, Parquet, or JSON lines with a `value_column` of lists. The
    files of validation and test follow in time; without them the last parts of each series are cut off.

    Raises UserError for a file of another kind.
    """

    train: str | None
    validation_fraction: Part = 0.15
    test_fraction: Part = 0.15

    advice = "give data.train=FILE, a CSV, Parquet or JSON lines file"

    def identity(self) -> Plain:
        return {"series_files": self.contents(), **self.column_settings()}

    def load(self) -> Panel:
        tables = {split: read_table(path, self.encoding) for split, path in self.paths().items()}
        names = list(tables["train"])
        for split, table in tables.items():
            if list(table) != names:
                raise UserError(
                    f"data.{split} has the columns {', '.join(table)}, and data.train {', '.join(names)}: expected the "
                    "same"
                )
        columns: Columns = tables["train"]
        if len(tables) > 1:
            columns = {name: [value for table in tables.values() for value in table[name]] for name in names}
        sizes = [len(next(iter(table.values()))) for table in tables.values()]
        split_of = np.repeat([SPLITS.index(split) for split in tables], sizes)
        return self.panel(columns, self.describe(), split_of if len(tables) > 1 else None)


def read_table(path: Path, encoding: str = "utf-8") -> Columns:
    """The columns of a file. Raises UserError for a file that cannot be read."""
    import pyarrow
    from pyarrow import csv, parquet

    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise UserError(f"{path} is no table: expected one of {', '.join(SUFFIXES)}")
    if kind == ".jsonl":
        return _json_lines(path, encoding)
    try:
        if kind == ".parquet":
            table = parquet.read_table(path)
        else:
            read, parse = (
                csv.ReadOptions(encoding=encoding),
                csv.ParseOptions(delimiter="\t" if kind == ".tsv" else ","),
            )
            # Times are read by ourselves, with their offsets.
            convert = csv.ConvertOptions(timestamp_parsers=["%no time is read here%"], strings_can_be_null=True)
            table = csv.read_csv(path, read, parse, convert)
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as {kind[1:]}: {first_line(error)}") from None
    if not table.num_rows:
        raise UserError(f"{path} has no rows: expected at least one under the header")
    return {name: _array(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def _array(column: object) -> np.ndarray:
    import pyarrow

    kind = column.type  # type: ignore[attr-defined]
    if pyarrow.types.is_timestamp(kind):
        zoned = kind.tz is not None
        array = column.cast(pyarrow.timestamp("s", "UTC" if zoned else None), safe=False).to_numpy()  # type: ignore[attr-defined]
        return np.array([f"{text}+00:00" for text in np.datetime_as_string(array)]) if zoned else array
    if pyarrow.types.is_date(kind):
        return column.cast(pyarrow.timestamp("s")).to_numpy()  # type: ignore[attr-defined]
    return column.to_numpy()  # type: ignore[attr-defined]


def _json_lines(path: Path, encoding: str) -> Columns:
    rows = list[Mapping[str, Plain]]()
    for number, line in enumerate(split_lines(path.read_text(encoding=encoding)), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UserError(
                f'{path}, line {number} is no JSON object: expected {{"item_id": "a", "target": [1, 2, 3]}}'
            )
        rows.append(row)
    if not rows:
        raise UserError(f"{path} is empty: expected a series a line")
    columns = {key: [row.get(key) for row in rows] for key in rows[0]}
    return columns
