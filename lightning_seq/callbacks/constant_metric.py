"""A warning for a monitored metric that never changes and so selects nothing."""

from __future__ import annotations

import logging

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lightning_seq.tasks.task import Task

VALIDATIONS = 3
"""The number of validations with the same value after which a metric is reported."""
log = logging.getLogger("lightning_seq")


class ConstantMetric(Callback):
    """Logs one line when the monitored metric has had the same value in the first `VALIDATIONS` validations."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def state_dict(self) -> dict[str, list[float]]:
        return {"values": self._values}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self._values = list(state_dict["values"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not isinstance(pl_module, Task):
            return
        value = trainer.callback_metrics.get(pl_module.monitor)
        if trainer.sanity_checking or value is None or len(self._values) == VALIDATIONS:
            return
        self._values.append(float(value))
        if len(self._values) == VALIDATIONS and len(set(self._values)) == 1 and trainer.is_global_zero:
            others = ", ".join(sorted((set(pl_module.MONITORS) & set(trainer.callback_metrics)) - {pl_module.monitor}))
            log.warning(
                "%s is %g in all of the first %d validations and selects no checkpoint: check the data and the "
                "learning rate, or choose another metric%s",
                pl_module.monitor,
                self._values[0],
                VALIDATIONS,
                f" (task.monitor: {others})" if others else "",
            )
