"""Numbers for a whole sequence, as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.regressor import Regressor
from lightning_seq.spec import Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task
from lightning_seq.value_types import Weight


class SequenceRegression(Task):
    """Values of a whole sequence: squared error.

    tolerance: a sequence is a success if the error of each of its values is less than this (Hochreiter & Schmidhuber
               1997: 0.04).

    Logged: `train/loss`, and under `val/` and `test/`
    loss, mse: the mean squared error over the values of a sequence and over sequences, under both names.
    mae:       the mean absolute error.
    success:   the share of the sequences that are a success.

    After a test `predictions` is `[N · W, 5]` float64, a row per value: id of its sequence, number of the value,
    target, prediction, squared error; sorted by the first two.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(("val/loss", "val/mse", "val/mae"), "min") | {
        "val/success": "max"
    }
    MEANS: ClassVar = ("mse", "mae", "success")
    ROW_KEYS: ClassVar = 2

    def __init__(
        self,
        model: Regressor,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        tolerance: Weight = 0.04,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        if not tolerance > 0:
            raise UserError(f"task.tolerance is {tolerance}, expected more than 0")
        self.tolerance = float(tolerance)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Vectors `[B, T, D]` to values `[B, W]`."""
        return self.model(inputs, mask)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses = self._errors(batch).square().mean(-1)
        self.accumulate_loss(losses.sum(), len(losses))
        return self.mean_of_step(losses.sum(), batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        return self._errors(batch).square().mean(-1).sum()

    def _errors(self, batch: Batch) -> Tensor:
        """Prediction minus target `[N, W]`, of the sequences that count."""
        predictions = self.model(batch.inputs, batch.mask)[batch.target_mask]
        return predictions.float() - batch.targets[batch.target_mask]

    def evaluate(self, batch: Batch, split: str) -> None:
        errors = self._errors(batch)
        if len(errors):
            self.means(split).update(
                mse=errors.square().mean(-1),
                mae=errors.abs().mean(-1),
                success=(errors.abs() < self.tolerance).all(-1).float(),
            )
        if split == "test":
            ids, targets = batch.ids[batch.target_mask], batch.targets[batch.target_mask]
            which = torch.arange(targets.shape[1], device=targets.device).expand_as(targets)
            columns = (ids[:, None].expand_as(targets), which, targets, targets + errors, errors.square())
            self._rows.append(torch.stack([column.flatten().double() for column in columns], -1))

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": means["mse"], **means}
