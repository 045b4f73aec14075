"""Columns that the `predictions.parquet` of every kind of task has: which example a row is of, and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, near

if TYPE_CHECKING:
    from lightning_seq.tasks.task import Task

CHOICES = ("short", "full")


def is_full(config: Config) -> bool:
    """Whether `task.predictions` asks for texts and probabilities too. Raises UserError for another word."""
    asked = config["task"].get("predictions", CHOICES[0])
    if asked not in CHOICES:
        raise UserError(f"task.predictions is {asked!r}: {near(str(asked), CHOICES)}")
    return bool(asked == "full")


def of_task(config: Config) -> dict[str, bool]:
    """The keyword argument of the task's constructor; none for `short`, as a user's own task class may not have it."""
    return {"full_predictions": True} if is_full(config) else {}


def test_rows(task: Task) -> np.ndarray:
    """The rows that a task kept of its test. Raises TypeError for a task that kept none."""
    if task.predictions is None:
        raise TypeError(f"{type(task).__name__} has kept no predictions: it needs a test first")
    return task.predictions.numpy()


def example_columns(data: Any, rows: np.ndarray) -> dict[str, Any]:
    """The columns that name the examples.

    id:     what the source calls the example: see `ExampleIds`.
    origin: the file, or the split of a public set, that holds it; left out for data without files.
    row:    its place in the test split, from 0: reports join runs by it.

    rows: `[N]`, of which example of the test split each row of the table is.
    """
    import pyarrow

    ids, rows = data.example_ids("test"), rows.astype("int64")
    columns = {"id": pyarrow.array(ids.values).take(pyarrow.array(rows))}
    if ids.origin is not None:
        columns["origin"] = pyarrow.repeat(ids.origin, len(rows))
    return {**columns, "row": pyarrow.array(rows)}


def score_columns(names: Sequence[str], scores: np.ndarray, word: str = "probability") -> dict[str, Any]:
    """A column `probability_NAME` for each class. scores: `[N, C]`."""
    return {f"{word}_{name}": scores[:, number].astype("float32") for number, name in enumerate(names)}
