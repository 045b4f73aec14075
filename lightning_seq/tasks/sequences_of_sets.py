"""The next set as a LightningModule: polyphonic music."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Batch
from lightning_seq.tasks.task import Task, at_end


class SequencesOfSets(Task):
    """Independent bits at each step: negative log-likelihood per step.

    Logged: `train/loss`, and under `val/` and `test/` `loss` and `nll` (the literature's name for the same value): nats
    per step, summed over the bits of a step, a mean over all steps of all sequences (Chung et al. 2014, table 2).
    """

    MONITORS: ClassVar[Mapping[str, str]] = {"val/loss": "min", "val/nll": "min"}

    model: SetModel

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Sets `[B, T, D]` to the probability of each bit of the next `[B, T, D]`."""
        return self.model(inputs, mask)[0].sigmoid()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses = self._losses(batch)
        self.accumulate_loss(losses.sum(), len(losses))
        return self.mean_of_step(losses.sum(), batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        return self._losses(batch, at_end(batch.target_mask, reverse)).sum()

    def _losses(self, batch: Batch, counts: Tensor | None = None) -> Tensor:
        """`[steps]`, of the steps that count: `counts` `[B, T]`, or the batch's `target_mask`."""
        counts = batch.target_mask if counts is None else counts
        scores = self.model(batch.inputs, batch.mask)[0][counts]
        targets = batch.targets[counts].to(scores.dtype)
        return functional.binary_cross_entropy_with_logits(scores, targets, reduction="none").sum(-1)

    def evaluate(self, batch: Batch, split: str) -> None:
        losses = self._losses(batch)
        if len(losses):
            self.means(split).update(loss=losses)

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**means, "nll": means["loss"]}
