"""The names that the user's file has for the examples of the test split, from the predictions of the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.report.predictions import read_columns

ABOUT = "The id is that of predictions.parquet: the line on which the example begins, or its id in the source."

Names = dict[int, str]
"""By place in the test split, from 0."""


def example_names(runs: list[tuple[Path, Record]]) -> dict[tuple[str, int], Names]:
    """The names by label and seed; a run without readable predictions, or whose predictions have no ids, has none."""
    names, _ = read_artifacts(runs, "predictions", read_names)
    return {(record.label, record.seed): by_row for record, by_row in names}


def read_names(path: Path) -> Names:
    """From a `predictions.parquet`: `id 12 in reviews.csv`. Empty for a file without the columns `id` and `row`.

    Raises ValueError for a file that is not Parquet.
    """
    table = read_columns(path, "row", "id", optional=("origin",))
    if table is None:
        return {}
    rows, first = np.unique(table["row"].to_numpy(), return_index=True)
    plain = table.take(pa.array(first)).to_pydict()
    origins = plain.get("origin", [None] * len(rows))
    named = zip(rows.tolist(), plain["id"], origins, strict=True)
    return {row: f"id {known} in {origin}" if origin else f"id {known}" for row, known, origin in named}


def name_of(names: Names, row: int | str) -> str:
    """Of an example without a name its place: `row 11 of the test split`."""
    known = names.get(int(row)) if str(row).isdecimal() else None
    return known or f"row {row} of the test split"
