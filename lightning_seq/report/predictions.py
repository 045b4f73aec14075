"""Columns of the `predictions.parquet` of runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from lightning_seq.records.artifacts import example_column

EXAMPLE = "example"
"""The name under which `read_columns` has the column that numbers the examples."""


def read_columns(path: Path, *names: str, optional: tuple[str, ...] = ()) -> pa.Table | None:
    """The columns with these names, `EXAMPLE` among them; None where one is missing, or the file has no rows.

    optional: columns that are read where the file has all of them.

    Raises ValueError for a file that is not Parquet.
    """
    try:
        file = parquet.ParquetFile(path)
        known = set(file.schema_arrow.names)
        columns = {name: example_column(known) if name == EXAMPLE else name for name in names}
        columns |= {name: name for name in optional if known.issuperset(optional)}
        if not file.metadata.num_rows or not known.issuperset(columns.values()):
            return None
        table = file.read(columns=list(columns.values()))
        return pa.table({name: table[column].combine_chunks() for name, column in columns.items()})
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
