"""Bits that answer given inputs, as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanMetric

from lightning_seq.metrics.classification import mean_loss
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import COUNTED, Batch
from lightning_seq.tasks.gather import gather_rows, sorted_rows
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end


class BitSequences(Task):
    """Independent bits at each step of a given sequence: likelihood, bits and whole sequences that are right.

    full_predictions: whether what is written of `predictions` has the probabilities.
    monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`
    loss:         nats per step, summed over the bits of a step that count, a mean over all steps of all sequences.
    bits_correct: the share of the bits that are rightly said (0 or 1, whichever is the likelier).
    exact_match:  the share of the sequences whose bits are all rightly said.

    After a test `predictions` is `[bits, 6]` float64, a row for each bit that counts: id of its sequence, step, place
    in the step, target, probability of 1, loss in nats; sorted by the first three.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {"val/loss": "min", "val/bits_correct": "max", "val/exact_match": "max"}

    def __init__(
        self,
        model: SetModel,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        full_predictions: bool = False,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        self.full_predictions = full_predictions
        self.val_metrics, self.test_metrics = _metrics(), _metrics()
        self._rows: list[Tensor] = []

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Vectors `[B, T, D]` to the probability of each bit `[B, T, W]`."""
        return self.model(inputs, mask)[0].sigmoid()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        _, losses, _ = self._losses(batch)
        self.accumulate_loss(losses.sum(), batch.target_mask.sum())
        return self.mean_of_step(losses.sum(), batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        _, losses, counts = self._losses(batch)
        return losses[at_end(counts.any(-1), reverse)].sum()

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Scores and losses `[B, T, W]`, the losses 0 where a bit does not count; and which do."""
        scores = self.model(batch.inputs, batch.mask)[0]
        counts = batch.target_mask[..., None].expand_as(batch.targets)
        if COUNTED in batch.extra:
            counts = counts & batch.extra[COUNTED]
        losses = functional.binary_cross_entropy_with_logits(scores, batch.targets.to(scores.dtype), reduction="none")
        return scores, torch.where(counts, losses, torch.zeros_like(losses)), counts

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_metrics)

    def on_validation_epoch_end(self) -> None:
        self._log("val", self.val_metrics)

    def on_test_epoch_start(self) -> None:
        self._rows.clear()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        scores, losses, counts = self._evaluate(batch, self.test_metrics)
        row, step, place = counts.nonzero(as_tuple=True)
        columns = (batch.ids[row], step, place, batch.targets[counts], scores[counts].sigmoid(), losses[counts])
        self._rows.append(torch.stack([column.double() for column in columns], -1))

    def on_test_epoch_end(self) -> None:
        self._log("test", self.test_metrics)
        self.predictions = sorted_rows(gather_rows(torch.cat(self._rows), self.world).cpu(), keys=3)

    def _evaluate(self, batch: Batch, metrics: Any) -> tuple[Tensor, Tensor, Tensor]:
        scores, losses, counts = self._losses(batch)
        real = batch.target_mask.any(1)
        if real.any():
            right = (scores > 0) == (batch.targets > 0)
            metrics["loss"].update(losses.sum(-1)[batch.target_mask])
            metrics["bits_correct"].update(right[counts].float())
            metrics["exact_match"].update((right | ~counts).flatten(1).all(1)[real].float())
        return scores, losses, counts

    def _log(self, split: str, metrics: Any) -> None:
        self.log_evaluation(split, {name: metric.compute() for name, metric in metrics.items()})
        for metric in metrics.values():
            metric.reset()


def _metrics() -> nn.ModuleDict:
    return nn.ModuleDict({"loss": mean_loss(), "bits_correct": MeanMetric(), "exact_match": MeanMetric()})
