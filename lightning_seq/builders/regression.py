"""Regression: numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.prediction_columns import example_columns, test_rows
from lightning_seq.builders.task_kind import Loaded, Row, TaskKind, make_task
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
    task = config["task"]
    return Regressor(
        embedding,
        encoder(width),
        spec.targets_as(Values).width,
        pooling=task["pooling"],
        head_sizes=task["head_sizes"],
        dropout=task["dropout"],
    )


def task(config: Config, data: MemoryProblemData, model: Regressor, shared: dict[str, Any]) -> Task:
    settings = config["task"]
    return make_task(config, model, tolerance=settings["tolerance"], **shared)


def artifacts(directory: Path, data: MemoryProblemData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per value: `example_columns` of its sequence, value (its name), target, prediction,
    loss (the squared error).
    """
    columns = _columns(names(data.spec.targets_as(Values)), test_rows(task))
    examples = example_columns(data, test_rows(task)[:, 0])
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


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"value", "prediction"}, …]}`."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        found = loaded.model(batch.inputs, batch.mask)
    for text, row in zip(texts, found.tolist(), strict=True):
        said = zip(names(loaded.spec.targets_as(Values)), row, strict=True)
        yield {"text": text, "predictions": [{"value": name, "prediction": round(value, 6)} for name, value in said]}


KIND = TaskKind("a regression model", Values, model, task, VectorReader.from_plain, predictions, artifacts=artifacts)
