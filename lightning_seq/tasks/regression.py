"""Numbers for a whole sequence, as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lightning_seq.errors import UserError
from lightning_seq.metrics.classification import mean_loss
from lightning_seq.models.regressor import Regressor
from lightning_seq.spec import Batch
from lightning_seq.tasks.gather import gather_rows, sorted_rows
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task


class SequenceRegression(Task):
    """Values of a whole sequence: squared error.

    tolerance: a sequence is a success if the error of each of its values is less than this (Hochreiter & Schmidhuber
               1997: 0.04).

    Logged: `train/loss`, and under `val/` and `test/`
    loss, mse: the mean squared error, over the values of a sequence and over sequences (the same, by both names).
    mae:       the mean absolute error.
    success:   the share of the sequences that are a success.

    After a test `predictions` is `[N · W, 5]` float64, a row per value: id of its sequence, which value, target,
    prediction, squared error; sorted by the first two.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {
        "val/loss": "min",
        "val/mse": "min",
        "val/mae": "min",
        "val/success": "max",
    }

    def __init__(
        self,
        model: Regressor,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        tolerance: float = 0.04,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        if not tolerance > 0:
            raise UserError(f"task.tolerance is {tolerance}, expected more than 0")
        self.tolerance = float(tolerance)
        self.val_metrics, self.test_metrics = _metrics(), _metrics()
        self._rows: list[Tensor] = []

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
        """`[N, W]`, of the sequences that count: what was said less what is right."""
        found = self.model(batch.inputs, batch.mask)[batch.target_mask]
        return found.float() - batch.targets[batch.target_mask]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_metrics)

    def on_validation_epoch_end(self) -> None:
        self._log("val", self.val_metrics)

    def on_test_epoch_start(self) -> None:
        self._rows.clear()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        errors = self._evaluate(batch, self.test_metrics)
        ids, targets = batch.ids[batch.target_mask], batch.targets[batch.target_mask]
        which = torch.arange(targets.shape[1], device=targets.device).expand_as(targets)
        columns = (ids[:, None].expand_as(targets), which, targets, targets + errors, errors.square())
        self._rows.append(torch.stack([column.flatten().double() for column in columns], -1))

    def on_test_epoch_end(self) -> None:
        self._log("test", self.test_metrics)
        self.predictions = sorted_rows(gather_rows(torch.cat(self._rows), self.world).cpu(), keys=2)

    def _evaluate(self, batch: Batch, metrics: Any) -> Tensor:
        errors = self._errors(batch)
        if len(errors):
            metrics["mse"].update(errors.square().mean(-1))
            metrics["mae"].update(errors.abs().mean(-1))
            metrics["success"].update((errors.abs() < self.tolerance).all(-1).float())
        return errors

    def _log(self, split: str, metrics: Any) -> None:
        values = {name: metric.compute() for name, metric in metrics.items()}
        self.log_evaluation(split, {"loss": values["mse"], **values})
        for metric in metrics.values():
            metric.reset()


def _metrics() -> nn.ModuleDict:
    return nn.ModuleDict({"mse": mean_loss(), "mae": mean_loss(), "success": MeanMetric()})
