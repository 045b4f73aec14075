"""Progress lines and bar of a run in the terminal and the log; epochs are counted from 1."""

from __future__ import annotations

import logging

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from lightning_seq.files import Plain
from lightning_seq.lightning_internals import bar_total
from lightning_seq.tasks.task import Task

log = logging.getLogger("lightning_seq")


def epoch_of(trainer: Trainer) -> str:
    """`epoch 3/10`; `epoch 3` if the number of epochs has no limit."""
    most = trainer.max_epochs
    return f"epoch {trainer.current_epoch + 1}" + (f"/{most}" if most is not None and most > 0 else "")


class EpochLines(Callback):
    """A line for each validation: the epoch's mean training loss so far, and the validation metrics."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or not isinstance(pl_module, Task):
            return
        loss = pl_module.epoch_loss()  # a collective operation: every rank must call it
        if not trainer.is_global_zero:
            return
        values = {} if loss is None else {"train/loss": loss}
        values |= {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        text = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        log.info("%s  step %d  %s", epoch_of(trainer), trainer.global_step, text)


class ProgressBar(TQDMProgressBar):
    """Lightning's bar, with the training loss; one line for all epochs."""

    def __init__(self, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate, leave=False)

    def on_train_epoch_start(self, trainer: Trainer, *_: object) -> None:
        """Instead of Lightning's, which counts from 0."""
        self.train_progress_bar.reset(total=bar_total(self.total_train_batches))
        self.train_progress_bar.initial = 0
        self.train_progress_bar.set_description(epoch_of(trainer))

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Plain]:
        shown = super().get_metrics(trainer, pl_module)
        shown.pop("v_num", None)
        loss = pl_module.recent_loss() if isinstance(pl_module, Task) else None
        return shown if loss is None else {"loss": f"{loss:.4f}", **shown}
