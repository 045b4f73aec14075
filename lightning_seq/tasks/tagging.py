"""Tagging as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from lightning_seq.errors import UserError
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.metrics.segments import SegmentScores
from lightning_seq.metrics.tagging import TaggingMetrics
from lightning_seq.models.tagger import Tagger
from lightning_seq.spec import NOT_COUNTED, Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end
from lightning_seq.value_types import Weight


class Tagging(Task):
    """A tag for every token: softmax or CRF, accuracy, macro-F1, and F1 of spans if the tags mark spans.

    tags:          the names of the tags by id.
    scheme:        of the spans; see `TaggingMetrics`.
    intents:       the names of the classes of whole sentences, if the model has a head for them.
    intent_weight: of the intents' cross-entropy relative to that of the tags; at 1 an intent counts as one more tag.
    full_predictions: whether `predictions` has the probabilities of all tags.
    segments:      whether runs of equal tags are scored, as for frames of video: see `SegmentScores`.
    optimizer, monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`: `loss accuracy macro_f1`, for tags of spans
    `f1 precision recall`, of segments `edit f1_10 f1_25 f1_50`, with intents `intent_accuracy`. Losses, that of the
    intents included, are in nats per token that counts: the sum over all sentences, divided by all such tokens.
    After a test `predictions` is `[N, 5]` float64, a row per token: sentence, position, target (-1 if it does not
    count), prediction, loss; in the order of the sentences. The loss is -log of the probability of the token's tag
    over all tags of its neighbours, which for a CRF is its marginal. With `full_predictions` `[N, 5 + C]`: then this
    probability of every tag. `tables` holds `confusion` `[C, C]` and, for tags of spans, `span_counts` `[K, 3]`.
    """

    MONITORS: ClassVar = {"val/accuracy": "max", "val/macro_f1": "max", "val/f1": "max", "val/loss": "min"}
    model: Tagger

    def __init__(
        self,
        model: Tagger,
        tags: Sequence[str],
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        scheme: str | None = None,
        intents: Sequence[str] = (),
        intent_weight: Weight = 1.0,
        full_predictions: bool = False,
        segments: bool = False,
        monitor: str = "val/accuracy",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        self.val_metrics, self.test_metrics = TaggingMetrics(tags, scheme), TaggingMetrics(tags, scheme)
        if monitor == "val/f1" and self.val_metrics.spans is None:
            raise UserError("task.monitor is val/f1, and these tags mark no spans: use val/accuracy or val/loss")
        self.val_segments, self.test_segments = (SegmentScores() if segments else None for _ in range(2))
        if intent_weight < 0:
            raise UserError(f"task.intent_weight is {intent_weight}, expected at least 0")
        self.intent_weight, self.full_predictions = intent_weight, full_predictions
        self.val_intents, self.test_intents = (
            MulticlassAccuracy(len(intents), average="micro", validate_args=False) if intents else None
            for _ in range(2)
        )
        self.tables: dict[str, Tensor] = {}

    def forward(self, inputs: Tensor, mask: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        """Ids `[B, T]`, mask `[B, T]` and a batch's `extra` to tags `[B, T]`."""
        return self.model.decode(self.model(inputs, mask, extra)[0], mask)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        scores, intents = self.model(batch.inputs, batch.mask, batch.extra)
        total = self._loss_sum(batch, scores, intents)
        self.accumulate_loss(total, batch.target_mask.sum())
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        """-log of the tag's probability over all tags of its neighbours."""
        scores, _ = self.model(batch.inputs, batch.mask, batch.extra)
        kept = at_end(batch.target_mask, reverse)
        return self.model.loss_sum(scores, batch.targets, batch.mask, kept)

    def _loss_sum(self, batch: Batch, scores: Tensor, intents: Tensor | None) -> Tensor:
        total = self.model.loss_sum(scores, batch.targets, batch.mask, batch.target_mask)
        if intents is None:
            return total
        targets = batch.extra["intents"]
        return total + self.intent_weight * cross_entropy_sum(intents, targets, targets != NOT_COUNTED)

    def evaluate(self, batch: Batch, split: str) -> None:
        scores, intent_scores = self.model(batch.inputs, batch.mask, batch.extra)
        tags = self.model.decode(scores, batch.mask)
        metrics, intent_accuracy = self._metrics(split)
        counts, mask = batch.target_mask, batch.mask
        counted = int(counts.sum())
        if counted:
            metrics.update(tags, batch.targets, counts)
            if (segments := self._segments(split)) is not None:
                segments.update(tags, batch.targets, counts)
            # As many values as tokens: torchmetrics drops the weights of a mean that lets NaN pass.
            self.means(split).update(loss=(self._loss_sum(batch, scores, intent_scores) / counted).expand(counted))
        if intent_scores is not None and intent_accuracy is not None:
            intents = batch.extra["intents"]
            known = intents != NOT_COUNTED
            if bool(known.any()):
                intent_accuracy.update(intent_scores[known], intents[known])
        if split == "val":
            return
        probabilities = self.model.probabilities(scores, mask)
        own = probabilities.gather(2, batch.targets[..., None]).squeeze(2)
        losses = -own.double().clamp(min=torch.finfo(torch.float32).tiny).log()
        columns = (
            batch.ids[:, None].expand_as(mask),
            torch.arange(mask.shape[1], device=mask.device).expand_as(mask),
            batch.targets.masked_fill(~counts, NOT_COUNTED),
            tags,
            losses.masked_fill(~counts, 0.0),
        )
        rows = torch.stack([column[mask].double() for column in columns], -1)
        self._rows.append(torch.cat([rows, probabilities[mask].double()], -1) if self.full_predictions else rows)

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        metrics, intent_accuracy = self._metrics(split)
        values = metrics.compute()
        metrics.reset()
        if split == "test":
            self.tables = {name: values[name].cpu() for name in ("confusion", "span_counts") if name in values}
        logged = {**means, "accuracy": values["accuracy"], "macro_f1": values["macro_f1"]}
        if metrics.spans is not None:
            logged |= {name: values[f"span_{name}"] for name in ("f1", "precision", "recall")}
        if (segments := self._segments(split)) is not None:
            logged |= segments.compute()
            segments.reset()
        if intent_accuracy is not None:
            logged["intent_accuracy"] = intent_accuracy.compute()
            intent_accuracy.reset()
        return logged

    def _segments(self, split: str) -> SegmentScores | None:
        return self.val_segments if split == "val" else self.test_segments

    def in_order(self, rows: Tensor) -> Tensor:
        return in_order(rows)

    def _metrics(self, split: str) -> tuple[TaggingMetrics, MulticlassAccuracy | None]:
        return (self.val_metrics, self.val_intents) if split == "val" else (self.test_metrics, self.test_intents)


def in_order(rows: Tensor) -> Tensor:
    """The rows by sentence and position, each once: a rank's padding sample is a sentence of another rank."""
    rows = rows[torch.argsort(rows[:, 2], descending=True, stable=True)]
    places = (rows[:, 0] * (rows[:, 1].max() + 1) + rows[:, 1]).long()
    order = torch.argsort(places, stable=True)
    places = places[order]
    first = torch.ones_like(places, dtype=torch.bool)
    first[1:] = places[1:] != places[:-1]
    return rows[order[first]]
