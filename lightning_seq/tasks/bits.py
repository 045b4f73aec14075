"""Bits that answer given inputs, as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import COUNTED, Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end


class BitSequences(Task):
    """Independent bits at each step of an input sequence: likelihood, correct bits, correct sequences.

    full_predictions: whether `predictions.parquet` gets the probabilities.
    monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`
    loss:         nats per step, summed over the bits of a step that count, a mean over all steps of all sequences.
    bits_correct: the share of the bits whose likelier value is right.
    exact_match:  the share of the sequences whose bits are all correct.

    After a test `predictions` is `[bits, 6]` float64, a row for each bit that counts: id of its sequence, step,
    position in the step, target, probability of 1, loss in nats; sorted by the first three.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {"val/loss": "min", "val/bits_correct": "max", "val/exact_match": "max"}
    MEANS: ClassVar = ("loss", "bits_correct", "exact_match")
    ROW_KEYS: ClassVar = 3

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
        """Scores, losses (0 for bits that do not count) and whether each bit counts, all `[B, T, W]`."""
        scores = self.model(batch.inputs, batch.mask)[0]
        counts = batch.target_mask[..., None].expand_as(batch.targets)
        if COUNTED in batch.extra:
            counts = counts & batch.extra[COUNTED]
        losses = functional.binary_cross_entropy_with_logits(scores, batch.targets.to(scores.dtype), reduction="none")
        return scores, torch.where(counts, losses, torch.zeros_like(losses)), counts

    def evaluate(self, batch: Batch, split: str) -> None:
        scores, losses, counts = self._losses(batch)
        real = batch.target_mask.any(1)
        if real.any():
            right = (scores > 0) == (batch.targets > 0)
            self.means(split).update(
                loss=losses.sum(-1)[batch.target_mask],
                bits_correct=right[counts].float(),
                exact_match=(right | ~counts).flatten(1).all(1)[real].float(),
            )
        if split == "test":
            row, step, place = counts.nonzero(as_tuple=True)
            columns = (batch.ids[row], step, place, batch.targets[counts], scores[counts].sigmoid(), losses[counts])
            self._rows.append(torch.stack([column.double() for column in columns], -1))
