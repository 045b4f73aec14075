"""Numbers for a whole sequence or for each step, as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import SumMetric

from lightning_seq.errors import UserError
from lightning_seq.metrics.phm08 import phm08_score
from lightning_seq.models.regressor import Regressor, StepRegressor
from lightning_seq.spec import Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end
from lightning_seq.value_types import Weight


class SequenceRegression(Task):
    """Values of a whole sequence, or of each step: squared error.

    tolerance: a sequence (or step) is a success if the error of each of its values is less than this (Hochreiter &
               Schmidhuber 1997: 0.04); None: no `success` is logged.
    scale:     the loss is the squared error of values divided by these numbers; empty: of the values.
    remaining: whether the values are the remaining life of machines, which logs `phm08`.

    Logged: `train/loss`, and under `val/` and `test/`
    loss:      the mean over the values of a sequence (or step) and over these, as in training.
    mse, rmse: the mean squared error and its root.
    mae:       the mean absolute error.
    success:   the share of the sequences (or steps) that are a success.
    phm08:     the sum over all values of `phm08_score`.

    After a test `predictions` is `[N · W, 5]` float64, a row per value: id of its sequence, number of the value (of
    value w of step t: t · W + w), target, prediction, squared error; sorted by the first two.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(("val/loss", "val/mse", "val/rmse", "val/mae"), "min") | {
        "val/success": "max"
    }
    MEANS: ClassVar = ("loss", "mse", "mae", "success")
    ROW_KEYS: ClassVar = 2
    scale: Tensor | None

    def __init__(
        self,
        model: Regressor | StepRegressor,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        tolerance: Weight | None = 0.04,
        scale: Sequence[float] = (),
        remaining: bool = False,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        if tolerance is not None and not tolerance > 0:
            raise UserError(f"task.tolerance is {tolerance}, expected more than 0")
        if tolerance is None and monitor == "val/success":
            raise UserError("task.monitor is val/success, and without task.tolerance there is no success")
        self.tolerance, self.succeeds, self.remaining = float(tolerance or 0), tolerance is not None, remaining
        self.register_buffer("scale", torch.tensor([*scale]) if scale else None, persistent=False)
        self.val_phm08, self.test_phm08 = SumMetric(), SumMetric()

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Vectors `[B, T, D]` to values `[B, W]`, or `[B, T, W]` of steps."""
        return self.model(inputs, mask)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses = self._losses(self._errors(batch, batch.target_mask))
        self.accumulate_loss(losses.sum(), len(losses))
        return self.mean_of_step(losses.sum(), batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        kept = at_end(batch.target_mask, reverse) if batch.target_mask.ndim == 2 else batch.target_mask
        return self._losses(self._errors(batch, kept)).sum()

    def _errors(self, batch: Batch, counts: Tensor) -> Tensor:
        """Prediction minus target `[N, W]`, of the sequences or steps that count."""
        predictions = self.model(batch.inputs, batch.mask)[counts]
        return predictions.float() - batch.targets[counts]

    def _losses(self, errors: Tensor) -> Tensor:
        """`[N]` from errors `[N, W]`."""
        return (errors if self.scale is None else errors / self.scale).square().mean(-1)

    def measured(self, errors: Tensor) -> dict[str, Tensor]:
        """The values behind the means, `[N]` each, from errors `[N, W]`."""
        return {
            "loss": self._losses(errors),
            "mse": errors.square().mean(-1),
            "mae": errors.abs().mean(-1),
            "success": (errors.abs() < self.tolerance).all(-1).float(),
        }

    def evaluate(self, batch: Batch, split: str) -> None:
        counts = batch.target_mask
        errors = self._errors(batch, counts)
        if len(errors):
            self.means(split).update(**self.measured(errors))
            if self.remaining:
                self._phm08(split).update(phm08_score(errors))
        if split == "test":
            ids, places = torch.nonzero(counts, as_tuple=True) if counts.ndim == 2 else (counts.nonzero()[:, 0], None)
            targets = batch.targets[counts]
            width = targets.shape[1]
            which = torch.arange(width, device=targets.device).expand_as(targets)
            which = which if places is None else which + places[:, None] * width
            columns = (batch.ids[ids][:, None].expand_as(targets), which, targets, targets + errors, errors.square())
            self._rows.append(torch.stack([column.flatten().double() for column in columns], -1))

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        values = {name: means[name] for name in ("loss", "mse", "mae")} | {"rmse": means["mse"].sqrt()}
        if self.succeeds:
            values["success"] = means["success"]
        if self.remaining:
            total = self._phm08(split)
            values["phm08"] = means["phm08"] if "phm08" in means else total.compute()
            total.reset()
        return values

    def _phm08(self, split: str) -> SumMetric:
        return self.val_phm08 if split == "val" else self.test_phm08
