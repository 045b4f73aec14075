"""Tagging as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from lightning_seq.errors import UserError
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.metrics.classification import mean_loss
from lightning_seq.metrics.tagging import TaggingMetrics
from lightning_seq.models.tagger import Tagger
from lightning_seq.spec import NOT_COUNTED, Batch
from lightning_seq.tasks.gather import gather_rows
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end


class Tagging(Task):
    """A tag for every token: softmax or CRF, accuracy, and F1 of spans where the tags mark them.

    model:         scores of tags and, where it has a head for them, of intents.
    tags:          their names by id.
    optimizer:     makes an optimiser from the parameters that learn.
    scheme:        of the spans that they mark; see `TaggingMetrics`.
    intents:       the names of the classes of whole sentences that the model has a head for.
    intent_weight: of their cross-entropy beside that of the tags; at 1 an intent counts as one tag more.
    full_predictions: whether `predictions` has the probabilities of all tags.
    monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`: `loss accuracy`, for tags of spans `f1 precision recall`,
    with intents `intent_accuracy`. Losses are in nats per token that counts: the sum over all sentences, divided by all
    such tokens; that of the intents is in it.
    After a test `predictions` is `[N, 5]` float64, a row per token: sentence, position, target (-1 where it does not
    count), prediction, loss; in the order of the sentences. The loss is that of the token's tag by itself: -log of its
    probability whatever its neighbours are, which for a CRF is its marginal. Where they are full, `[N, 5 + C]`: then
    this probability of every tag. `tables` then holds `confusion` `[C, C]` and, for tags of spans, `span_counts`
    `[K, 3]`.
    """

    MONITORS: ClassVar = {"val/accuracy": "max", "val/f1": "max", "val/loss": "min"}

    def __init__(
        self,
        model: Tagger,
        tags: Sequence[str],
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        scheme: str | None = None,
        intents: Sequence[str] = (),
        intent_weight: float = 1.0,
        full_predictions: bool = False,
        monitor: str = "val/accuracy",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        self.val_metrics, self.test_metrics = TaggingMetrics(tags, scheme), TaggingMetrics(tags, scheme)
        if monitor == "val/f1" and self.val_metrics.spans is None:
            raise UserError("task.monitor is val/f1, and these tags mark no spans: use val/accuracy or val/loss")
        if intent_weight < 0:
            raise UserError(f"task.intent_weight is {intent_weight}, expected at least 0")
        self.intent_weight, self.full_predictions = intent_weight, full_predictions
        self.val_loss, self.test_loss = mean_loss(), mean_loss()
        self.val_intents, self.test_intents = (
            MulticlassAccuracy(len(intents), average="micro", validate_args=False) if intents else None
            for _ in range(2)
        )
        self.tables: dict[str, Tensor] = {}
        self._rows: list[Tensor] = []

    def forward(self, inputs: Tensor, mask: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        """Ids `[B, T]`, mask `[B, T]` and what a batch gives beside them to tags `[B, T]`."""
        return self.model.decode(self.model(inputs, mask, extra)[0], mask)  # type: ignore[operator]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        scores, intents = self.model(batch.inputs, batch.mask, batch.extra)
        total = self._loss_sum(batch, scores, intents)
        self.accumulate_loss(total, batch.target_mask.sum())
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        """Of the tag by itself: -log of its probability, whatever its neighbours are."""
        scores, _ = self.model(batch.inputs, batch.mask, batch.extra)
        kept = at_end(batch.target_mask, reverse)
        return self.model.loss_sum(scores, batch.targets, batch.mask, kept)  # type: ignore[operator]

    def _loss_sum(self, batch: Batch, scores: Tensor, intents: Tensor | None) -> Tensor:
        total: Tensor = self.model.loss_sum(scores, batch.targets, batch.mask, batch.target_mask)  # type: ignore[operator]
        if intents is None:
            return total
        given = batch.extra["intents"]
        return total + self.intent_weight * cross_entropy_sum(intents, given, given != NOT_COUNTED)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_metrics, self.val_loss, self.val_intents)

    def on_validation_epoch_end(self) -> None:
        self._log_evaluation("val", self.val_metrics, self.val_loss, self.val_intents)

    def on_test_epoch_start(self) -> None:
        self._rows.clear()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        scores, tags = self._evaluate(batch, self.test_metrics, self.test_loss, self.test_intents)
        every = self.model.probabilities(scores, batch.mask)  # type: ignore[operator]
        own = every.gather(2, batch.targets[..., None]).squeeze(2)
        losses = -own.double().clamp(min=torch.finfo(torch.float32).tiny).log()
        counts, mask = batch.target_mask, batch.mask
        columns = (
            batch.ids[:, None].expand_as(mask),
            torch.arange(mask.shape[1], device=mask.device).expand_as(mask),
            batch.targets.masked_fill(~counts, NOT_COUNTED),
            tags,
            losses.masked_fill(~counts, 0.0),
        )
        rows = torch.stack([column[mask].double() for column in columns], -1)
        self._rows.append(torch.cat([rows, every[mask].double()], -1) if self.full_predictions else rows)

    def on_test_epoch_end(self) -> None:
        values = self._log_evaluation("test", self.test_metrics, self.test_loss, self.test_intents)
        self.tables = {name: values[name].cpu() for name in ("confusion", "span_counts") if name in values}
        self.predictions = in_order(gather_rows(torch.cat(self._rows), self.world).cpu())

    def _evaluate(self, batch: Batch, metrics: TaggingMetrics, loss: Any, right: Any) -> tuple[Tensor, Tensor]:
        scores, intents = self.model(batch.inputs, batch.mask, batch.extra)
        tags = self.model.decode(scores, batch.mask)  # type: ignore[operator]
        counted = int(batch.target_mask.sum())
        if counted:
            metrics.update(tags, batch.targets, batch.target_mask)
            # As many values as tokens: torchmetrics drops the weights of a mean that lets NaN pass.
            loss.update((self._loss_sum(batch, scores, intents) / counted).expand(counted))
        if intents is not None:
            given = batch.extra["intents"]
            if bool((given != NOT_COUNTED).any()):
                right.update(intents[given != NOT_COUNTED], given[given != NOT_COUNTED])
        return scores, tags

    def _log_evaluation(self, split: str, metrics: TaggingMetrics, loss: Any, right: Any) -> dict[str, Any]:
        values = metrics.compute()
        logged = {"loss": loss.compute(), "accuracy": values["accuracy"]}
        if metrics.spans is not None:
            logged |= {name: values[f"span_{name}"] for name in ("f1", "precision", "recall")}
        if right is not None:
            logged["intent_accuracy"] = right.compute()
            right.reset()
        self.log_evaluation(split, logged)
        metrics.reset()
        loss.reset()
        return values


def in_order(rows: Tensor) -> Tensor:
    """The rows by sentence and position, each once: a rank's stand-in is a sentence that another rank has as well."""
    rows = rows[torch.argsort(rows[:, 2], descending=True, stable=True)]
    places = (rows[:, 0] * (rows[:, 1].max() + 1) + rows[:, 1]).long()
    order = torch.argsort(places, stable=True)
    places = places[order]
    first = torch.ones_like(places, dtype=torch.bool)
    first[1:] = places[1:] != places[:-1]
    return rows[order[first]]
