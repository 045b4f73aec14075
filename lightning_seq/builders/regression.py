"""Regression: numbers for a whole sequence or for each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lightning_seq.builders.prediction_columns import name_column, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, check_task, make_task, of_means
from lightning_seq.config.tree import Config
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.data.reader import Reader
from lightning_seq.data.vectors.reader import SequenceReader
from lightning_seq.files import Plain
from lightning_seq.metrics.baseline import mean_errors
from lightning_seq.metrics.phm08 import phm08_score
from lightning_seq.models.regressor import Regressor, StepRegressor
from lightning_seq.spec import DataSpec, Values

if TYPE_CHECKING:
    from lightning_seq.data.memory_problems.module import MemoryProblemData
    from lightning_seq.data.vectors.module import VectorData
    from lightning_seq.tasks.regression import SequenceRegression
    from lightning_seq.tasks.task import Task


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int
) -> Regressor | StepRegressor:
    check_task(config, "regression", "numbers to predict")
    task, targets = config["task"], spec.targets_as(Values)
    settings = {"head_sizes": task["head_sizes"], "dropout": task["dropout"], "mean": targets.mean}
    made = encoder(width)
    if targets.of_steps:
        return StepRegressor(embedding, made, targets.width, scale=targets.scale, **settings)
    return Regressor(embedding, made, targets.width, pooling=task["pooling"], scale=targets.scale, **settings)


def task(config: Config, data: MemoryProblemData, model: Regressor, shared: Shared) -> Task:
    targets = data.spec.targets_as(Values)
    if not targets.scale:  # a memory problem
        return make_task(config, model, tolerance=config["task"]["tolerance"], **shared)
    return make_task(config, model, tolerance=None, scale=targets.scale, remaining=targets.remaining, **shared)


def artifacts(directory: Path, data: MemoryProblemData | VectorData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per value of a sequence: value (its name), target, prediction, loss (the squared
    error); for values of steps also the step, from 0."""
    rows, targets = test_rows(task), data.spec.targets_as(Values)
    numbers = rows[:, 1].astype("int64")
    columns = {
        **({"step": numbers // targets.width} if targets.of_steps else {}),
        "value": name_column(names(targets), numbers % targets.width),
        "target": rows[:, 2],
        "prediction": rows[:, 3],
        "loss": rows[:, 4],
    }
    return write_predictions(directory, data.example_ids("test"), rows[:, 0], columns)


def names(targets: Values) -> tuple[str, ...]:
    """The names of the values, or their numbers if they have none."""
    return targets.names or tuple(map(str, range(1, targets.width + 1)))


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"value", "prediction"}, …]}`; values of steps also
    have their `step`, from 1."""
    targets = loaded.spec.targets_as(Values)
    named = names(targets)
    batch = loaded.reader.encode(texts, first)
    with torch.inference_mode():
        made = loaded.model(batch.inputs, batch.mask)
    for row, text in enumerate(texts):
        steps = made[row, batch.mask[row]] if targets.of_steps else made[row, None]
        values = [
            {**({"step": step} if targets.of_steps else {}), "value": name, "prediction": round(value, 6)}
            for step, numbers in enumerate(steps.tolist(), 1)
            for name, value in zip(named, numbers, strict=True)
        ]
        yield {"text": text, "predictions": values}


def baseline(data: MemoryProblemData | VectorData, task: SequenceRegression) -> dict[str, float]:
    errors = torch.from_numpy(mean_errors(data.splits["train"].targets, data.splits["test"].targets))
    means = {name: float(values.double().mean()) for name, values in task.cpu().measured(errors).items()}
    return of_means(task, {**means, "phm08": float(phm08_score(errors).sum())})


def reader(plain: dict[str, Plain]) -> Reader:
    """The reader of a checkpoint: of prepared vectors, or of memory problems."""
    kind = SequenceReader if plain.get("kind") == SequenceReader.KIND else VectorReader
    return kind.from_plain(plain)


KIND = TaskKind(
    "a regression model",
    Values,
    model,
    task,
    reader,
    predictions,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="mean of the train split",
)
