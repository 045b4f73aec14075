"""The `predictions.parquet` of runs: columns, names of the test examples, spans that tags mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from lightning_seq.files import check_parquet
from lightning_seq.records.artifacts import example_column, read_artifacts
from lightning_seq.records.record import Record

EXAMPLE = "example"
"""The name under which `read_columns` has the column that numbers the examples."""


Names = dict[int, str]
"""By place in the test split, from 0."""


def read_columns(path: Path, *names: str, optional: tuple[str, ...] = ()) -> pa.Table | None:
    """The columns with these names, `EXAMPLE` among them; None where one is missing, or the file has no rows.

    optional: columns that are read where the file has all of them.

    Raises ValueError for a file that is not Parquet.
    """
    check_parquet(path)
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


def read_groups(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """The numbers of the examples `[N]`, each once and rising, and those of their groups `[N]`, from 0; None for a file
    without groups.

    Raises ValueError for a file that is not Parquet.
    """
    table = read_columns(path, EXAMPLE, "group")
    if table is None:
        return None
    ids, first = np.unique(table[EXAMPLE].to_numpy(), return_index=True)
    names = table["group"].take(pa.array(first)).combine_chunks().dictionary_encode()
    return ids, names.indices.to_numpy()


def example_names(runs: list[tuple[Path, Record]]) -> dict[tuple[str, str, int], Names]:
    """The names by data set, label and seed; a run without readable predictions, or with ones without ids, has none."""
    names, _ = read_artifacts(runs, "predictions", read_names)
    return {(record.data, record.label, record.seed): by_row for record, by_row in names}


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


def span_counts(
    ids: np.ndarray, positions: np.ndarray, target: pa.Array, prediction: pa.Array
) -> tuple[np.ndarray, np.ndarray]:
    """The sentences' ids, each once and rising, and `[3, N]`: the counts of right, predicted and true spans.

    A span is right where begin, end and kind are, as `metrics/span_f1.py` has it.

    ids, positions: `[tokens]`, in any order.
    target, prediction: pyarrow columns of tags.
    """
    order = np.lexsort((positions, ids))
    known, places = np.unique(ids[order], return_inverse=True)
    first = np.diff(places, prepend=-1) != 0
    true, predicted = (_marked(tags, order, first) for tags in (target, prediction))
    right = true[0] & predicted[0] & (true[1] == predicted[1]) & (true[2] == predicted[2])
    counts = [np.bincount(places[mask], minlength=len(known)) for mask in (right, predicted[0], true[0])]
    return known, np.stack(counts)


def _marked(tags: pa.Array, order: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By token: whether a span begins, the last token of the span or gap, and its kind (empty for a gap)."""
    coded = tags.dictionary_encode()
    places = coded.indices.to_numpy(zero_copy_only=False)[order]
    names = [str(tag) for tag in coded.dictionary.to_pylist()]
    # A letter alone is of the kind `_`.
    marks = [name[:1] in ("B", "I") and name[1:2] in ("", "-") for name in names]
    kind = np.array([(name[2:] or "_") if mark else "" for name, mark in zip(names, marks, strict=True)])[places]
    begins = np.array([mark and name[0] == "B" for name, mark in zip(names, marks, strict=True)])[places]
    new = first | begins
    new[1:] |= kind[1:] != kind[:-1]
    starts = np.flatnonzero(new)
    following = np.append(starts[1:], len(kind))
    return new & (kind != ""), np.repeat(following - 1, following - starts), kind
