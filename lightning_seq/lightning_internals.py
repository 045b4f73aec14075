"""Every use of Lightning's private interface, with its reason; checked with Lightning 2.6.6.

A later version may change any of this without notice, so `pyproject.toml` admits 2.6 alone. Tasks, callbacks and
training all import this file.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, TypeAlias

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.callbacks.progress.tqdm_progress import convert_inf
from lightning.pytorch.loggers import TensorBoardLogger

Checkpoint: TypeAlias = dict[str, Any]
"""As Lightning saves and loads it: tensors and plain values."""

BATCH, VALIDATION, EPOCH, END = "batch", "validation", "epoch", "end"
"""When a checkpoint is written: before a batch, before a validation, before an epoch, after the last step."""


class Module(LightningModule):
    """Lightning assigns `_current_fx_name` about 45 times in a step, which is slow on a torch module."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @property
    def attached(self) -> Trainer | None:
        """The trainer, or None; the property `trainer` raises without one."""
        return None if self._trainer is None else self.trainer


class SwitchedAveraging(WeightAveraging):
    """Lightning's weight averaging copies and saves the averaged weights from the first step on; this one only while
    `is_on`, and after one update of them."""

    _swapped = False

    @property
    @abstractmethod
    def is_on(self) -> bool:
        """Whether weights are averaged."""

    @property
    def _averaged(self) -> bool:
        return self.is_on and self._latest_update_step > 0

    def _swap_models(self, pl_module: LightningModule) -> None:
        if self._averaged:
            super()._swap_models(pl_module)
            self._swapped = not self._swapped

    def _copy_average_to_current(self, pl_module: LightningModule) -> None:
        if self._averaged:
            super()._copy_average_to_current(pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Checkpoint) -> None:
        if self._averaged:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:  # inside a validation
            names = ("state_dict", "current_model_state")
            checkpoint |= dict(zip(names, [checkpoint[name] for name in reversed(names)], strict=True))

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Checkpoint) -> None:
        if "averaging_state" in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


def install_no_signal_handlers(trainer: Trainer) -> None:
    """Lightning's handler would call collective operations in the middle of the step that it interrupts."""
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


def bar_total(batches: float) -> float | None:
    """The total of a progress bar; None for a loader without an end."""
    return convert_inf(batches)


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """In the order of their hooks."""
    return trainer.callbacks  # type: ignore[attr-defined]


def purge_after(logger: TensorBoardLogger, step: int) -> None:
    """Let TensorBoard drop the values after a step; only the constructor of its event writer accepts that."""
    logger._kwargs["purge_step"] = step + 1


def write_summary(logger: TensorBoardLogger, summary: object) -> None:
    """torch's `add_hparams` would write each run into another directory."""
    logger.experiment._get_file_writer().add_summary(summary)


def completed_batches(trainer: Trainer) -> int:
    """The completed batches of this epoch; hooks get only the index of the next."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.completed


def loader_position(checkpoint: Checkpoint) -> dict[str, int]:
    """The position of the training loader in a checkpoint."""
    return checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]


def set_between_steps(checkpoint: Checkpoint, place: str) -> None:
    """Set the counters of a checkpoint to their values between two steps.

    Lightning also counts batches that are fetched and not begun: it would skip or repeat a batch, or a whole epoch if
    the checkpoint is written at its start or end.
    """
    loops = checkpoint["loops"]["fit_loop"]
    epoch, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    position = 0
    if place in (BATCH, EPOCH):
        for progress in [batches] if place == BATCH else [epoch]:
            for counter in (progress["total"], progress["current"]):
                counter["ready"] = counter["completed"]
        if place == EPOCH:
            batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False
        position = batches["current"]["completed"]
    elif place == VALIDATION:  # as if interrupted in its first batch
        validation = loops["epoch_loop.val_loop.batch_progress"]
        validation["current"] = dict.fromkeys(validation["current"], 0)
        validation["total"] = {"ready": 1, "completed": 0, "started": 1, "processed": 0}
        validation["is_last_batch"] = False
    loops["state_dict"]["combined_loader"] = [{"position": position}]


def restart_loops(trainer: Trainer, place: str, loader: dict[str, int]) -> None:
    """Set the loops, just before they begin, to the step of the checkpoint.

    loader: of `loader_position`; for a schedule that needs the number of steps, Lightning makes the loader before it
            reads that position.
    """
    trainer.train_dataloader.load_state_dict(loader)  # type: ignore[union-attr]
    # A loop that is "restarting" leaves out the plateau schedule at the end of its epoch.
    trainer.fit_loop._restarting = False
    if place == EPOCH:
        trainer.fit_loop.epoch_loop.restarting = False
    else:
        trainer.fit_loop.epoch_loop.val_loop.batch_progress.total.reset()


def restore_best(callback: ModelCheckpoint, state: Checkpoint) -> Path | None:
    """Adapt a callback's state to the present path of the run's directory; return the path of its best checkpoint.

    Lightning drops the whole state for another path, and never restores `current_score`.
    """
    directory = str(callback.dirpath)
    if state["dirpath"] != directory:

        def moved(path: str) -> str:
            return str(Path(directory) / Path(path).name) if path else path

        state["dirpath"] = directory
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[name] = moved(state[name])
        state["best_k_models"] = {moved(path): score for path, score in state["best_k_models"].items()}
    callback.current_score = state["current_score"]
    return Path(state["best_model_path"]) if state["best_model_path"] else None
