"""Sequence classification: one class for a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_seq.builders.prediction_columns import example_columns, of_task, score_columns
from lightning_seq.builders.task_kind import TaskKind
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.data.classification.reader import TextReader
from lightning_seq.data.difficulty import difficulty
from lightning_seq.errors import UserError
from lightning_seq.files import write_parquet
from lightning_seq.losses.ranking import OTHER
from lightning_seq.models.artificial_class import ArtificialClass
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Class, DataSpec

if TYPE_CHECKING:
    from lightning_seq.data.classification.module import ClassificationData
    from lightning_seq.tasks.task import Task

DIRECTIONS = ("(e1,e2)", "(e2,e1)")


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> Classifier:
    assert isinstance(spec.targets, Class)
    task, other = config["task"], artificial(config, spec.targets.names)
    made = Classifier(
        embedding,
        encoder(width),
        spec.targets.size - (other is not None),
        pooling=task["pooling"],
        head_sizes=task["head_sizes"],
        dropout=task["dropout"],
    )
    if other is not None:
        made.head.append(ArtificialClass(other))
    return made


def artificial(config: Config, names: Sequence[str]) -> int | None:
    """The class that a ranking loss learns nothing of, where there is one."""
    return names.index(OTHER) if config["task"].get("loss") == "ranking" and OTHER in names else None


def task(config: Config, data: ClassificationData, model: Classifier, shared: dict[str, Any]) -> Task:
    assert isinstance(data.spec.targets, Class)
    settings, names = config["task"], data.spec.targets.names
    make = factory({"_target_": settings["_target_"]}, "task", config["allow"])
    made: Task = make(
        model,
        data.spec.targets.size,
        class_weights=class_weights(settings["class_weights"], data),
        label_smoothing=settings["label_smoothing"],
        loss=settings["loss"],
        ranking=settings["ranking"],
        other=artificial(config, names),
        relations=names if directed_relations(names) else None,
        **of_task(config),
        **shared,
    )
    return made


def directed_relations(names: Sequence[str]) -> bool:
    """Whether classes are what SemEval-2010 task 8 asks for, as `Cause-Effect(e1,e2)`, and perhaps `Other`."""
    found = [name.endswith(DIRECTIONS) for name in names if name != OTHER]
    return bool(found) and all(found)


def reader(plain: dict[str, Any]) -> TextReader:
    return TextReader.from_plain(plain)


def artifacts(directory: Path, data: ClassificationData, task: Task) -> dict[str, str]:
    """`predictions.parquet`: a row per example: `example_columns`, target, prediction, loss, its `difficulty`; where
    they are full, its text, and the probability of each class (of a model that was trained to rank, its score)."""
    assert isinstance(data.spec.targets, Class)
    assert task.predictions is not None
    names, predictions = data.spec.targets.names, task.predictions.numpy()
    rows, scores = predictions[:, 0].astype("int64"), predictions[:, 4:]
    test, more = data.prepared.splits["test"], {}
    if scores.shape[1]:
        texts = data.prepared.test_texts()
        said = "score" if getattr(task, "ranks", False) else "probability"
        more = {"text": [texts[row] for row in rows.tolist()], **score_columns(names, scores, said)}
    hard = difficulty(test.flat, test.offsets, data.vocabulary)
    columns = {
        **example_columns(data, rows),
        **_columns(names, predictions),
        **{name: values[rows] for name, values in hard.items()},
        **more,
    }
    write_parquet(directory / "predictions.parquet", columns)
    return {"predictions": "predictions.parquet"}


def class_weights(wanted: str | list[float] | None, data: ClassificationData) -> Tensor | None:
    """`[C]`, scaled to a mean of 1 over the training examples.

    wanted: None, `balanced` (inversely to how often a class occurs), or one number per class.
    """
    if wanted is None:
        return None
    assert isinstance(data.spec.targets, Class)
    names = data.spec.targets.names
    counts = np.bincount(data.train_labels, minlength=len(names)).astype(float)
    if wanted == "balanced":
        weights = 1 / counts.clip(min=1)
    elif isinstance(wanted, list) and len(wanted) == len(names) and all(weight >= 0 for weight in wanted):
        weights = np.array(wanted, dtype=float)
        if not (weights * counts).sum():
            raise UserError(f"task.class_weights is {wanted}: expected a weight above 0 for a class that train has")
    else:
        raise UserError(
            f"task.class_weights is {wanted}: expected null, balanced, or {len(names)} numbers of at least 0 "
            f"({', '.join(names)})"
        )
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


def _columns(names: tuple[str, ...], predictions: np.ndarray) -> dict[str, Any]:
    import pyarrow

    labels = pyarrow.array(names)
    return {
        "target": labels.take(pyarrow.array(predictions[:, 1].astype("int64"))),
        "prediction": labels.take(pyarrow.array(predictions[:, 2].astype("int64"))),
        "loss": predictions[:, 3],
    }


KIND = TaskKind(model, task, reader, artifacts=artifacts)
