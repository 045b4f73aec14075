"""What the user's own file calls the examples of the test split, from the predictions that runs left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record

ABOUT = "The id is that of predictions.parquet: the line on which the example begins, or what its source calls it."

Names = dict[int, str]
"""By place in the test split, from 0."""


def example_names(runs: list[tuple[Path, Record]]) -> dict[tuple[str, int], Names]:
    """By label and seed; runs without predictions that can be read, or with those of before ids, have none."""
    found, _ = read_artifacts(runs, "predictions", read_names)
    return {(record.label, record.seed): names for record, names in found}


def read_names(path: Path) -> Names:
    """From a `predictions.parquet`: `id 12 in reviews.csv`. Empty for a file without the columns `id` and `row`.

    Raises ValueError for a file that is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
        columns = [name for name in ("row", "id", "origin") if name in file.schema_arrow.names]
        if not {"row", "id"} <= set(columns):
            return {}
        table = file.read(columns=columns)
        rows, first = np.unique(table["row"].to_numpy(), return_index=True)
        plain = table.take(pa.array(first)).to_pydict()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    origins = plain.get("origin", [None] * len(rows))
    named = zip(rows.tolist(), plain["id"], origins, strict=True)
    return {row: f"id {known} in {origin}" if origin else f"id {known}" for row, known, origin in named}


def name_of(names: Names, row: int | str) -> str:
    """Of an example without a name its place: `row 11 of the test split`."""
    known = names.get(int(row)) if str(row).isdecimal() else None
    return known or f"row {row} of the test split"
