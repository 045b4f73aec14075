"""`predictions.parquet`: the columns of every kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lightning_seq.config.tree import Config
from lightning_seq.files import write_parquet

if TYPE_CHECKING:
    import pyarrow

    from lightning_seq.data.example_ids import ExampleIds
    from lightning_seq.tasks.task import Task

Column: TypeAlias = "Sequence[object] | np.ndarray | pyarrow.Array"


def of_task(config: Config) -> dict[str, bool]:
    """The keyword argument of the task's constructor; none for `short`, as a user's own task class may not have it."""
    return {"full_predictions": True} if config["task"].get("predictions") == "full" else {}


def test_rows(task: Task) -> np.ndarray:
    """The rows that a task kept of its test. Raises TypeError for a task that kept none."""
    if task.predictions is None:
        raise TypeError(f"{type(task).__name__} has kept no predictions: it needs a test first")
    return task.predictions.numpy()


def write_predictions(
    directory: Path, ids: ExampleIds, rows: np.ndarray, columns: Mapping[str, Column]
) -> dict[str, str]:
    """Write the table, and return its name for the record.

    Before the columns of the task come those that name the examples:
    id:     the source's name of the example, see `ExampleIds`.
    origin: the file, or the split of a public set, that holds it; left out for data without files.
    group:  equal for examples of one group, such as a chapter; left out where no groups are known.
    row:    its row in the test split, from 0: reports join runs by it.

    ids:  of the test split.
    rows: `[N]`, the row in the test split of each line's example.
    """
    import pyarrow  # starts a thread, which must not exist before a run is forked

    rows = rows.astype("int64")
    examples = {"id": pyarrow.array(ids.values).take(pyarrow.array(rows))}
    if ids.origin is not None:
        examples["origin"] = pyarrow.repeat(ids.origin, len(rows))
    if ids.groups is not None:
        examples["group"] = pyarrow.array(ids.groups).take(pyarrow.array(rows))
    write_parquet(directory / "predictions.parquet", {**examples, "row": pyarrow.array(rows), **columns})
    return {"predictions": "predictions.parquet"}


def name_column(names: Sequence[str], numbers: np.ndarray) -> pyarrow.Array:
    """The name of each number."""
    import pyarrow

    return pyarrow.array(names).take(pyarrow.array(numbers.astype("int64")))


def score_columns(names: Sequence[str], scores: np.ndarray, word: str = "probability") -> dict[str, Column]:
    """A column `probability_NAME` for each class. scores: `[N, C]`."""
    return {f"{word}_{name}": scores[:, number].astype("float32") for number, name in enumerate(names)}
