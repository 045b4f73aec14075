"""Sequences of vectors in files of the user: csv, tsv or Parquet, with a row per step or per sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lightning_seq.data.sources.keys import typed_names
from lightning_seq.data.sources.split_files import SplitFiles, checked_lines
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.data.sources.vector_columns import Record, VectorLayout
from lightning_seq.data.sources.vector_table import VectorTable
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, Plain, check_parquet, sha256
from lightning_seq.text.column import delimiter_of, records

SUFFIXES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, kw_only=True)
class VectorFiles(VectorLayout, SplitFiles, Cut):
    """Files with a header or a schema; paths of .npy files are relative to the file that names them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_targets()

    def identity(self) -> Plain:
        arrays = {}
        if self.steps_column:
            for split, path in self.paths().items():
                if path.suffix != ".parquet":
                    rows = self._rows(path, self._known(path))
                    names = sorted({str(row[column]) for _, row in rows for column in self.step_columns})
                    found = [path.parent / Path(name).expanduser() for name in names]
                    arrays[split] = [sha256(file) for file in found if file.is_file()]
        return {**self.layout_to_plain(), "cut": self.shares(), **self.contents(), "arrays": arrays}

    def load(self) -> Loaded[VectorTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables = {}
        for split, path in self.paths().items():
            known = self._known(path)
            columns = self.columns(known, str(path))
            row = "row" if path.suffix == ".parquet" else "line"
            table = self.table(self._rows(path, columns), columns, str(path), row, directory=path.parent)
            tables[split] = replace(table, origin=str(path))
        return self.loaded(typed_names(tables, untyped=False))

    def _known(self, path: Path) -> list[str]:
        """The names of the columns of a file. Raises UserError for a file of another format."""
        if path.suffix not in SUFFIXES:
            raise UserError(f"{path}: expected a file that ends in {', '.join(SUFFIXES)}")
        if path.suffix == ".parquet":
            from pyarrow import parquet  # starts a thread, which must not exist before a run is forked

            try:
                check_parquet(path)
            except DamagedError as error:
                raise UserError(f"{path} cannot be read ({error}): expected a Parquet file") from None
            return list(parquet.read_schema(path).names)
        lines = checked_lines(path, self.encoding)
        first = next(line for line in lines if line.strip())
        return [name.strip() for name in first.strip().split(self._delimiter(path, first))]

    def _delimiter(self, path: Path, first: str) -> str:
        named = [*self.step_columns, *(self.feature_columns or []), *self.other_columns.values()]
        return "\t" if path.suffix == ".tsv" else delimiter_of(first, named)

    def _rows(self, path: Path, columns: Sequence[str]) -> Iterator[Record]:
        if path.suffix == ".parquet":
            from pyarrow import parquet

            number = 0
            for batch in parquet.ParquetFile(path).iter_batches(256, columns=list(columns)):
                for record in batch.to_pylist():
                    yield number, record
                    number += 1
            return
        lines = checked_lines(path, self.encoding)
        delimiter = self._delimiter(path, next(line for line in lines if line.strip()))
        rows = records(lines.raw(), delimiter, True, str(path))
        header = next([name.strip() for name in row] for *_, row in rows if row)
        for column in columns:
            if header.count(column) > 1:
                raise UserError(f"{path} has {header.count(column)} columns called {column!r}, expected one")
        places = {column: header.index(column) for column in columns}
        for line, _, row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise UserError(f"{path}, line {line}: {len(row)} values where the header has {len(header)}")
            yield line, {column: row[place] for column, place in places.items()}
