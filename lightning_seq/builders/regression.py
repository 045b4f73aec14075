"""Regression: numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from lightning_seq.builders.prediction_columns import example_columns
from lightning_seq.builders.task_kind import TaskKind
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.files import write_parquet
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.regressor import Regressor
from lightning_seq.spec import DataSpec, Values

if TYPE_CHECKING:
    from lightning_seq.data.memory_problems.module import MemoryProblemData
    from lightning_seq.tasks.task import Task


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> Regressor:
    assert isinstance(spec.targets, Values)
    task = config["task"]
    return Regressor(
        embedding,
        encoder(width),
        spec.targets.width,
        pooling=task["pooling"],
        head_sizes=task["head_sizes"],
        dropout=task["dropout"],
    )


def task(config: Config, data: MemoryProblemData, model: Regressor, shared: dict[str, Any]) -> Task:
    settings = config["task"]
    make = factory({"_target_": settings["_target_"]}, "task", config["allow"])
    made: Task = make(model, tolerance=settings["tolerance"], **shared)
    return made


def reader(plain: dict[str, Any]) -> VectorReader:
    return VectorReader.from_plain(plain)


def artifacts(directory: Path, data: MemoryProblemData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per value: `example_columns` of its sequence, value (its name), target, prediction,
    loss (the squared error).
    """
    assert isinstance(data.spec.targets, Values)
    assert task.predictions is not None
    columns = _columns(names(data.spec.targets), task.predictions.numpy())
    examples = example_columns(data, task.predictions[:, 0].numpy())
    write_parquet(directory / "predictions.parquet", {**examples, **columns})
    return {"predictions": "predictions.parquet"}


def names(targets: Values) -> tuple[str, ...]:
    """Of the values, or their numbers where they have none."""
    return targets.names or tuple(map(str, range(1, targets.width + 1)))


def _columns(named: tuple[str, ...], rows: np.ndarray) -> dict[str, Any]:
    import pyarrow

    return {
        "value": pyarrow.array(named).take(pyarrow.array(rows[:, 1].astype("int64"))),
        "target": rows[:, 2],
        "prediction": rows[:, 3],
        "loss": rows[:, 4],
    }


KIND = TaskKind(model, task, reader, artifacts=artifacts)
