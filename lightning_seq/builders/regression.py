"""Regression: numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from lightning_seq.builders.prediction_columns import name_column, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, of_means
from lightning_seq.config.tree import Config
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.metrics.baseline import mean_values
from lightning_seq.models.regressor import Regressor
from lightning_seq.spec import DataSpec, Values

if TYPE_CHECKING:
    from lightning_seq.data.memory_problems.module import MemoryProblemData
    from lightning_seq.tasks.regression import SequenceRegression
    from lightning_seq.tasks.task import Task


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Regressor:
    task = config["task"]
    return Regressor(
        embedding,
        encoder(width),
        spec.targets_as(Values).width,
        pooling=task["pooling"],
        head_sizes=task["head_sizes"],
        dropout=task["dropout"],
    )


def task(config: Config, data: MemoryProblemData, model: Regressor, shared: Shared) -> Task:
    return make_task(config, model, tolerance=config["task"]["tolerance"], **shared)


def artifacts(directory: Path, data: MemoryProblemData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per value of a sequence: value (its name), target, prediction, loss (the squared
    error)."""
    rows = test_rows(task)
    columns = {
        "value": name_column(names(data.spec.targets_as(Values)), rows[:, 1]),
        "target": rows[:, 2],
        "prediction": rows[:, 3],
        "loss": rows[:, 4],
    }
    return write_predictions(directory, data.example_ids("test"), rows[:, 0], columns)


def names(targets: Values) -> tuple[str, ...]:
    """The names of the values, or their numbers if they have none."""
    return targets.names or tuple(map(str, range(1, targets.width + 1)))


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"value", "prediction"}, …]}`."""
    named = names(loaded.spec.targets_as(Values))
    for text, row in zip(texts, loaded.outputs(texts, first).tolist(), strict=True):
        values = [{"value": name, "prediction": round(value, 6)} for name, value in zip(named, row, strict=True)]
        yield {"text": text, "predictions": values}


def baseline(data: MemoryProblemData, task: SequenceRegression) -> dict[str, float]:
    return of_means(task, mean_values(data.splits["train"].targets, data.splits["test"].targets, task.tolerance))


KIND = TaskKind(
    "a regression model",
    Values,
    model,
    task,
    VectorReader.from_plain,
    predictions,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="mean of the train split",
)
