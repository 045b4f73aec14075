"""Sequence classification: one class for a whole sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from lightning_seq.builders.prediction_columns import name_column, of_task, score_columns, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, ranked
from lightning_seq.config.tree import Config
from lightning_seq.data.classification.reader import TextReader
from lightning_seq.data.difficulty import difficulty
from lightning_seq.errors import UserError
from lightning_seq.losses.ranking import OTHER
from lightning_seq.metrics.baseline import majority
from lightning_seq.models.artificial_class import ArtificialClass
from lightning_seq.models.classifier import Classifier
from lightning_seq.spec import Class, DataSpec, Features

if TYPE_CHECKING:
    from lightning_seq.data.classification.module import ClassificationData
    from lightning_seq.tasks.task import Task

DIRECTIONS = ("(e1,e2)", "(e2,e1)")
EARLY = tuple(tenth / 10 for tenth in range(1, 10))
"""Shares of the steps of a sequence of vectors after which a test asks for its class."""
BEGINNING = 200
"""Characters of each text in `predictions.parquet`."""


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Classifier:
    task, classes = config["task"], spec.targets_as(Class)
    other = artificial(config, classes.names)
    made = Classifier(
        embedding,
        encoder(width),
        classes.size - (other is not None),
        pooling=task["pooling"],
        head_sizes=task["head_sizes"],
        dropout=task["dropout"],
    )
    if other is not None:
        made.head.append(ArtificialClass(other))
    return made


def artificial(config: Config, names: Sequence[str]) -> int | None:
    """The number of the class `Other`, of which a ranking loss learns nothing; None without it."""
    return names.index(OTHER) if config["task"].get("loss") == "ranking" and OTHER in names else None


def task(config: Config, data: ClassificationData, model: Classifier, shared: Shared) -> Task:
    settings, names = config["task"], data.spec.targets_as(Class).names
    return make_task(
        config,
        model,
        len(names),
        class_weights=class_weights(settings["class_weights"], data),
        label_smoothing=settings["label_smoothing"],
        loss=settings["loss"],
        ranking=settings["ranking"],
        other=artificial(config, names),
        relations=names if directed_relations(names) else None,
        **({"early": EARLY} if isinstance(data.spec.inputs, Features) else {}),
        **of_task(config),
        **shared,
    )


def directed_relations(names: Sequence[str]) -> bool:
    """Whether the classes are those of SemEval-2010 task 8, such as `Cause-Effect(e1,e2)`, with or without `Other`."""
    relations = [name for name in names if name != OTHER]
    return bool(relations) and all(name.endswith(DIRECTIONS) for name in relations)


def artifacts(directory: Path, data: ClassificationData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per example: target, prediction, loss, its `difficulty`, the beginning of its text;
    if full, its whole text, and the probability of each class (or its score, of a model that was trained to rank)."""
    names, predictions = data.spec.targets_as(Class).names, test_rows(task)
    rows, scores = predictions[:, 0].astype("int64"), predictions[:, 4:]
    test = data.prepared.splits["test"]
    columns = {
        "target": name_column(names, predictions[:, 1]),
        "prediction": name_column(names, predictions[:, 2]),
        "loss": predictions[:, 3],
        **{name: values[rows] for name, values in difficulty(test.flat, test.offsets, data.vocabulary).items()},
    }
    texts = data.prepared.test_texts()
    if not scores.shape[1]:
        columns["beginning"] = [texts[row][:BEGINNING] for row in rows.tolist()]
    else:
        value = "score" if getattr(task, "ranks", False) else "probability"
        columns |= {"text": [texts[row] for row in rows.tolist()], **score_columns(names, scores, value)}
    return write_predictions(directory, data.example_ids("test"), rows, columns)


def class_weights(wanted: str | list[float] | None, data: ClassificationData) -> Tensor | None:
    """`[C]`, scaled to a mean of 1 over the training examples.

    wanted: None, `balanced` (inversely to how often a class occurs), or one number per class.
    """
    if wanted is None:
        return None
    names = data.spec.targets_as(Class).names
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


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text `{"text", "predictions": [{"label", "probability"}, …]}`, the likeliest first.

    A model that was trained to rank has a `score` instead of the probability.
    """
    names = loaded.spec.targets_as(Class).names
    ranks = loaded.config["task"].get("loss") == "ranking"
    scores = loaded.outputs(texts, first) if ranks else loaded.probabilities(texts, first)
    lists = ranked(scores, names, top_k, "label", "score" if ranks else "probability")
    yield from ({"text": text, "predictions": best} for text, best in zip(texts, lists, strict=True))


def choices(loaded: Loaded) -> int | None:
    return loaded.spec.targets_as(Class).size


def baseline(data: ClassificationData, task: Task) -> dict[str, float]:
    names, test = data.spec.targets_as(Class).names, data.prepared.splits["test"].labels
    answer, metrics = majority(data.train_labels, test, len(names))
    if not directed_relations(names):
        return metrics
    from lightning_seq.metrics.relation_f1 import RelationF1  # imports torchmetrics

    relations = RelationF1(names)
    relations.sync_on_compute = False  # rank 0 alone computes it
    relations.update(torch.full((len(test),), answer), torch.tensor(test, dtype=torch.int64))
    return {"relation_f1": float(relations.compute()["relation_f1"]), **metrics}


KIND = TaskKind(
    "a classifier",
    Class,
    model,
    task,
    TextReader.from_plain,
    predictions,
    choices,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="majority class",
)
