"""Forecasts of series as a LightningModule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.metrics.forecasts import owa
from lightning_seq.metrics.means import Means
from lightning_seq.models.forecast_output import check_levels, pinball
from lightning_seq.models.forecaster import Forecast, Predicted
from lightning_seq.spec import FUTURE, SCALES, Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task
from lightning_seq.value_types import Range

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


class Forecasting(Task):
    """The next `horizon` values of a series, all means over the values that are there.

    model:     see `Forecaster`.
    quantiles: the levels that are predicted and tested, 0.5 among them.
    interval:  the share of the values that the tested interval should hold; (1 - interval) / 2 and its complement are
               among the quantiles.
    reference: to `smape` and `mase` of Naive2 on the test windows.

    Logged: `train/loss`, and under `val/` and `test/`
    loss:      of the model, on its normalised scale.
    mase:      the absolute error over that of seasonal naive, one step of a season back, before the split (Hyndman &
               Koehler 2006).
    smape:     as in M4, 0 to 200. mae, mse, rmse: in the unit of the series.
    crps:      the continuous ranked probability score over the same denominator as MASE: twice the mean pinball loss of
               the quantiles; of points alone the same as mase.
    wql:       twice the pinball loss over the size of the values (the weighted quantile loss).
    coverage:  share of the values within the interval; width: of the interval, msis: the interval score (Makridakis et
               al. 2020), both over the denominator of MASE. None of these three for points.
    flat:      share of the windows whose forecast varies by less than 1 % of the variance of their past.
    owa:       under `test/` alone: the mean of smape and mase over those of Naive2.

    After a test `predictions` is `[N, 4 + 2 + Q]` float64, a row per value that is there: id of its window, step (from
    1), target, prediction, absolute error over the denominator of MASE, CRPS over it, and the quantiles.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(
        [f"val/{name}" for name in ("loss", "mase", "smape", "mae", "mse", "rmse", "crps", "wql")], "min"
    )
    MEANS: ClassVar = (
        "loss", "mase", "smape", "mae", "mse", "crps", "pinball", "size", "flat", "coverage", "width", "msis",
    )  # fmt: skip
    """The last three are of intervals alone."""
    ROW_KEYS: ClassVar = 2
    model: Forecast

    def __init__(
        self,
        model: Forecast,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        quantiles: Sequence[float] = LEVELS,
        interval: Annotated[float, Range(0, 1)] = 0.8,
        reference: Callable[[], Mapping[str, float]] | None = None,
        monitor: str = "val/mase",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        self.levels, self.interval, self.reference = check_levels(quantiles), float(interval), reference
        tails = [(1 - self.interval) / 2, (1 + self.interval) / 2]
        places = [[place for place, level in enumerate(self.levels) if abs(level - tail) < 1e-6] for tail in tails]
        if not all(places):
            raise UserError(
                f"task.interval={interval} lies between the quantiles {tails[0]:g} and {tails[1]:g}: add them to "
                "task.quantiles, or give another interval"
            )
        self.tails = (places[0][0], places[1][0])
        if not model.distributed:
            self.val_means, self.test_means = (Means(*self.MEANS[:-3]) for _ in range(2))

    @property
    def distributed(self) -> bool:
        """Whether quantiles are predicted too."""
        return self.model.distributed

    def forward(self, inputs: Tensor, mask: Tensor, ahead: Tensor | None = None) -> Tensor:
        """Inputs `[B, T, D]` to what the output of the model predicts of each step."""
        made: Tensor = self.model(inputs, mask, ahead)
        return made

    def _losses(self, batch: Batch) -> Tensor:
        found = self.model.losses(batch.inputs, batch.mask, batch.extra[FUTURE], batch.targets, batch.extra[SCALES])
        return torch.where(batch.target_mask, found.float(), torch.zeros_like(batch.targets))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        total = self._losses(batch).sum()
        self.accumulate_loss(total, batch.target_mask.sum())
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        return self._losses(batch)[:, 0 if reverse else -1].sum()

    def predicted(self, batch: Batch) -> Predicted:
        """On the scale of the series."""
        scales = batch.extra[SCALES]
        made = self.model.predict(batch.inputs, batch.mask, batch.extra[FUTURE], scales, self.levels)
        shift, scale = scales[:, :1].double(), scales[:, 1:2].double()
        point = shift + scale * made.point.double()
        quantiles = None if made.quantiles is None else shift[..., None] + scale[..., None] * made.quantiles.double()
        return Predicted(point, quantiles)

    def evaluate(self, batch: Batch, split: str) -> None:
        counted, scales = batch.target_mask, batch.extra[SCALES].double()
        if not counted.any():
            return
        losses, (point, quantiles) = self._losses(batch), self.predicted(batch)
        target = scales[:, :1] + scales[:, 1:2] * batch.targets.double()
        unit = scales[:, 2:].expand_as(target)
        error = (target - point).abs()
        size = target.abs() + point.abs()
        values = {
            "loss": losses.double(),
            "mase": error / unit,
            "smape": 200 * error / torch.where(size > 0, size, 1),
            "mae": error,
            "mse": error.square(),
            "size": target.abs(),
        }
        if quantiles is None:
            score, shown = error, point[..., None].expand(*point.shape, len(self.levels))
        else:
            score, shown = 2 * pinball(quantiles, target, quantiles.new_tensor(self.levels)).mean(-1), quantiles
            low, high = quantiles[..., self.tails[0]], quantiles[..., self.tails[1]]
            outside = (low - target).clamp(min=0) + (target - high).clamp(min=0)
            values |= {
                "coverage": ((target >= low) & (target <= high)).double(),
                "width": (high - low) / unit,
                "msis": (high - low + 2 / (1 - self.interval) * outside) / unit,
            }
        self.means(split).update(flat=self._flat(batch, point)[counted.any(1)])
        values |= {"pinball": score, "crps": score / unit}
        self.means(split).update(**{name: value[counted] for name, value in values.items()})
        if split == "test":
            ids = batch.ids[:, None].expand_as(target)
            steps = torch.arange(1, target.shape[1] + 1, device=target.device).expand_as(target)
            columns = (ids, steps, target, point, values["mase"], values["crps"], *shown.unbind(-1))
            self._rows.append(torch.stack([column[counted].double() for column in columns], -1))

    def _flat(self, batch: Batch, point: Tensor) -> Tensor:
        """`[B]`, 1 for a forecast that hardly varies."""
        mask, values = batch.mask, batch.inputs[..., 0].double()
        count = mask.sum(1, keepdim=True).clamp(min=1)
        mean = (values * mask).sum(1, keepdim=True) / count
        past = (((values - mean) * mask).square().sum(1) / count[:, 0]) * batch.extra[SCALES][:, 1].double().square()
        return (point.var(1, correction=0) < 0.01 * past).double()

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor | float]:
        kept: dict[str, Tensor | float] = {
            name: value for name, value in means.items() if name not in ("pinball", "size")
        }
        kept["rmse"] = means["mse"].sqrt()
        kept["wql"] = means["pinball"] / means["size"].clamp(min=1e-12)
        if split == "test" and self.reference is not None:
            kept |= owa(means["smape"], means["mase"], self.reference())
        return kept
