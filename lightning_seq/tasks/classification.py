"""Sequence classification as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MetricCollection

from lightning_seq.errors import UserError, near
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.losses.ranking import ranking_loss_sum
from lightning_seq.metrics.classification import classification_metrics
from lightning_seq.metrics.relation_f1 import RelationF1
from lightning_seq.models.classifier import Classifier
from lightning_seq.spec import Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task
from lightning_seq.value_types import Fraction, OneOf

LOSSES = ("cross_entropy", "ranking")


class SequenceClassification(Task):
    """One class per sequence: cross-entropy or a ranking loss, accuracy, macro-F1, confusion matrix.

    model:           scores `[B, C]` before the softmax, or to be ranked.
    classes:         C.
    class_weights:   `[C]`, scaled so that their mean over the training examples is 1, or None.
    label_smoothing: share of each target spread over all classes, in training only.
    loss:            `cross_entropy`, or `ranking` (`losses/ranking.py`), with its constants `ranking`.
    other:           with `ranking`, the class whose score is always 0 (`models/artificial_class.py`); None without one.
    relations:       the names of the classes if they are directed relations (see `RelationF1`).
    full_predictions: whether `predictions` has the scores of all classes.
    early:           shares of the steps of a sequence after which a test asks for the class too.
    optimizer, monitor, log_every: see `Task`.

    Logged: `train/loss`, and `loss accuracy macro_f1` (with relations also `relation_f1`) under `val/` and `test/`.
    Losses are means per example, in nats; the ranking loss is no likelihood.
    After a test `predictions` is `[N, 4]` float64, a row per example: id, target, prediction, loss; sorted by id. With
    `full_predictions` `[N, 4 + C]`: then the probability of each class, or its score under the ranking loss. With
    `early` the class after each share follows the loss.
    """

    MONITORS: ClassVar = {"val/accuracy": "max", "val/macro_f1": "max", "val/relation_f1": "max", "val/loss": "min"}

    def __init__(
        self,
        model: Classifier,
        classes: int,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        class_weights: Tensor | None = None,
        label_smoothing: Fraction = 0.0,
        loss: Annotated[str, OneOf(LOSSES)] = "cross_entropy",
        ranking: Mapping[str, float] | None = None,
        other: int | None = None,
        relations: Sequence[str] | None = None,
        full_predictions: bool = False,
        early: Sequence[float] = (),
        monitor: str = "val/accuracy",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing is {label_smoothing}, expected at least 0 and less than 1")
        if loss not in LOSSES:
            raise UserError(f"task.loss is {loss!r}: {near(loss, LOSSES)}")
        if loss == "ranking" and (class_weights is not None or label_smoothing):
            raise UserError("task.class_weights and task.label_smoothing act on cross-entropy: leave them with ranking")
        if monitor == "val/relation_f1" and relations is None:
            raise UserError(
                "task.monitor is val/relation_f1, and these classes are no directed relations, as Cause-Effect(e1,e2)"
            )
        self.label_smoothing, self.full_predictions, self.early = label_smoothing, full_predictions, tuple(early)
        self.ranks, self.ranking, self.other = loss == "ranking", dict(ranking or {}), other
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.val_metrics, self.test_metrics = classification_metrics(classes), classification_metrics(classes)
        if relations is not None:
            for metrics in (self.val_metrics, self.test_metrics):
                metrics.add_metrics({"relation": RelationF1(relations)})

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Ids `[B, T]` and mask `[B, T]` to log-probabilities `[B, C]`; with the ranking loss, to scores."""
        scores: Tensor = self.model(inputs, mask)
        return scores if self.ranks else functional.log_softmax(scores, -1)

    def scores(self, batch: Batch) -> Tensor:
        """`[B, C]`."""
        return self.model(batch.inputs, batch.mask)

    def measure(self, split: str, scores: Tensor, targets: Tensor, losses: Tensor) -> None:
        """Update the metrics of validation and test. scores: `[N, C]`; targets, losses: `[N]`."""
        self._metrics(split).update(scores, targets)
        self.means(split).update(loss=losses)

    def look(self, scores: Tensor, batch: Batch) -> Sequence[Tensor]:
        """Update further metrics of a test, and return further columns `[N]` of `predictions`, which follow the
        loss: with `early`, the class after each of these shares of the steps."""
        lengths, steps = batch.mask.sum(1), torch.arange(batch.mask.shape[1], device=batch.mask.device)
        read = ((share * lengths).ceil().clamp(min=1) for share in self.early)
        classes = (self.model(batch.inputs, steps < count[:, None]).argmax(-1) for count in read)
        return [of_all[batch.target_mask] for of_all in classes]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        scores = self.scores(batch)
        total = self._loss_sum(scores, batch.targets, batch.target_mask)
        self.accumulate_loss(total, batch.target_mask.sum())
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        counts = batch.target_mask
        return self._losses(self.scores(batch)[counts], batch.targets[counts]).sum()

    def _loss_sum(self, scores: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
        if not self.ranks:
            return cross_entropy_sum(scores, targets, counts, self.class_weights, self.label_smoothing)  # type: ignore[arg-type]
        if self.other is not None:
            scores = torch.cat([scores[:, : self.other], scores[:, self.other + 1 :]], 1)
        return ranking_loss_sum(scores, targets, counts, self.other, **self.ranking)

    def evaluate(self, batch: Batch, split: str) -> None:
        counts = batch.target_mask
        of_all = self.scores(batch)
        scores, targets = of_all[counts], batch.targets[counts]
        losses = self._losses(scores, targets)
        if len(targets):
            self.measure(split, scores, targets, losses)
        if split == "test":
            columns = (batch.ids[counts], targets, scores.argmax(-1), losses, *self.look(of_all, batch))
            rows = torch.stack([column.double() for column in columns], -1)
            if self.full_predictions:
                own = scores if self.ranks else torch.softmax(scores.float(), -1)
                rows = torch.cat([rows, own.double()], -1)
            self._rows.append(rows)

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        metrics = self._metrics(split)
        values = metrics.compute()
        metrics.reset()
        names = ("accuracy", "macro_f1", "relation_f1")
        return {**means, **{name: values[name] for name in names if name in values}}

    def _metrics(self, split: str) -> MetricCollection:
        return self.val_metrics if split == "val" else self.test_metrics

    def _losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        """`[N]`, neither weighted nor smoothed."""
        if not self.ranks:
            return functional.cross_entropy(scores, targets, reduction="none")
        counts = torch.ones_like(targets, dtype=torch.bool)
        rows = zip(scores.split(1), targets.split(1), counts.split(1), strict=True)
        return torch.stack([self._loss_sum(*row) for row in rows]) if len(targets) else scores.new_zeros(0)
