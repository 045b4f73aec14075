"""Learning-rate schedules: warm-up, then constant, linear to zero, or down on a plateau."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from lightning_seq.errors import UserError, near
from lightning_seq.value_types import Count, Fraction, OneOf

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerConfig, OptimizerLRSchedulerConfig

log = logging.getLogger("lightning_seq")

KINDS = ("constant", "linear", "plateau", "decay")
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes.

    kind:         `constant`; `linear` falls to zero at the last step; `plateau` multiplies by `factor` after `patience`
                  validations without an improvement of the monitored metric; `decay` multiplies by `factor` after
                  each epoch, from the `hold_epochs`-th on (Zaremba et al. 2014, sec. 4.1).
    warmup_steps: optimiser steps over which the rate first rises linearly from zero (not with `plateau`).
    """

    kind: Annotated[str, OneOf(KINDS)] = "constant"
    warmup_steps: Count = 0
    factor: Fraction = 0.5
    patience: Count = 1
    hold_epochs: Count = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"task.schedule.kind is {self.kind!r}: {near(self.kind, KINDS)}")
        if self.kind in ("plateau", "decay") and self.warmup_steps:
            raise UserError(
                f"task.schedule.warmup_steps acts with kind=constant or linear, {self.kind} came: set it to 0"
            )
        if min(self.warmup_steps, self.patience, self.hold_epochs) < 0 or not 0 < self.factor < 1:
            raise UserError(
                f"task.schedule has warmup_steps={self.warmup_steps} patience={self.patience} "
                f"hold_epochs={self.hold_epochs} factor={self.factor}, expected at least 0, a factor between 0 and 1"
            )

    def check_end(self, total: float) -> None:
        """Raises UserError for `linear` if `total`, the number of steps, is infinite."""
        if self.kind == "linear" and not math.isfinite(total):
            raise UserError(
                "task.schedule.kind=linear falls to zero at the last step, and this training has none: give "
                "trainer.max_epochs=N or trainer.max_steps=N, or use task.schedule.kind=constant"
            )

    def share(self, step: int, total: float) -> float:
        """The share of the full rate at an optimiser step: 0 to 1, also after the last step and in a warm-up longer
        than the training."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.kind == "linear":
            return max(0.0, (total - step) / max(1.0, total - self.warmup_steps))
        return 1.0

    def configure(
        self, optimizer: Optimizer, total: float, monitor: str, mode: str
    ) -> OptimizerConfig | OptimizerLRSchedulerConfig:
        """The result of `LightningModule.configure_optimizers`. total: all optimiser steps; infinite without an end."""
        self.check_end(total)
        if self.warmup_steps > total:
            log.warning(
                "task.schedule.warmup_steps=%d, and this training has %d steps: the rate stays below optimizer.lr",
                self.warmup_steps, total,
            )  # fmt: skip
        if self.kind == "plateau":
            plateau = ReduceLROnPlateau(
                optimizer, mode="max" if mode == "max" else "min", factor=self.factor, patience=self.patience
            )
            scheduler: LRSchedulerConfigType = {"scheduler": plateau, "monitor": monitor, "interval": "epoch"}
        elif self.kind == "decay":
            decay = LambdaLR(optimizer, lambda epoch: self.factor ** max(0, epoch + 1 - max(1, self.hold_epochs)))
            scheduler = {"scheduler": decay, "interval": "epoch"}
        elif self.kind == "constant" and not self.warmup_steps:
            return {"optimizer": optimizer}
        else:
            scheduler = {"scheduler": LambdaLR(optimizer, lambda step: self.share(step, total)), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}
