"""Resume a run from its last checkpoint, bit for bit."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, distributed

from lightning_seq.callbacks.batch_fingerprint import BatchFingerprint
from lightning_seq.callbacks.clock import TrainingClock
from lightning_seq.callbacks.thaw import ThawEmbedding
from lightning_seq.config.tree import Config, plain_differences
from lightning_seq.data import bucket_sampler, columns_sampler
from lightning_seq.data.loader import end_workers
from lightning_seq.data.module import DataModule, PreparedData, Reader
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.lightning_internals import (
    BATCH,
    END,
    EPOCH,
    VALIDATION,
    callbacks_of,
    completed_batches,
    loader_position,
    restart_loops,
    restore_best,
    set_between_steps,
)
from lightning_seq.records.old_configuration import modern
from lightning_seq.spec import Batch
from lightning_seq.training.checkpoints import LAST, Checkpoint, check_selected
from lightning_seq.training.loggers.curve_logger import CurveLogger
from lightning_seq.training.loggers.fail_safe import FailSafeLogger
from lightning_seq.training.random_states import random_states, restore_random_states
from lightning_seq.training.run_record import log
from lightning_seq.training.signals import Deferred, Interrupted

KEY = "resume"
"""Key of this module's values in a checkpoint."""


def run_identity(config: Config, data: DataModule[PreparedData, Reader], world: int) -> dict[str, Plain]:
    """The values, by name, that must be equal in a run and in the checkpoint from which it resumes.

    config: the keys of the run's identity (`identity.config_identity`).
    """
    return {
        "data": data.fingerprints["data"],
        "split": data.fingerprints["split"],
        "vocabulary": fingerprint(data.to_plain()),
        "batch_size": config["data"].get("batch_size"),
        "world_size": world,
        "seed": config["seed"],
        "sampler": f"bucket {bucket_sampler.VERSION}, columns {columns_sampler.VERSION}",
        "config": config,
    }


def versions() -> dict[str, Plain]:
    """The versions of the packages that compute a run."""
    return {"Python": platform.python_version(), **{name: version(name) for name in ("torch", "lightning", "numpy")}}


class ResumePoints(Callback):
    """Writes `last.ckpt`, from which training resumes bit for bit, and restores everything when it resumes.

    A checkpoint is written between two optimiser steps: before each epoch, after the last step, after a number of steps
    or minutes, and at a signal. A signal is handled before the next batch that begins a step, or before the validation
    that it interrupts, which is then repeated from its start. After the checkpoint it raises `Interrupted`.

    directory:     of the checkpoints; None: nothing is written.
    identity:      see `run_identity`.
    curves:        saved in the checkpoint and restored from it.
    loggers:       the other loggers; each drops its values after the checkpoint.
    every_n_steps: optimiser steps between two checkpoints.
    every_minutes: minutes between two checkpoints.

    It must be the last callback. Raises UserError for a checkpoint of another run, naming the key that differs.
    """

    def __init__(
        self,
        directory: Path | None,
        identity: dict[str, Plain],
        curves: CurveLogger,
        loggers: Sequence[FailSafeLogger] = (),
        every_n_steps: int | None = None,
        every_minutes: float | None = None,
    ) -> None:
        self.directory, self.identity, self.curves, self.loggers = directory, identity, curves, loggers
        self.every_n_steps, self.every_minutes = every_n_steps, every_minutes
        self.signals = Deferred()
        self.resumed: list[int] = []  # optimiser steps
        self._place: str | None = None
        self._state: Checkpoint | None = None
        self._begun_at: int | None = None
        self._step, self._time = 0, time.monotonic()
        self._before_validation: dict[str, Plain] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.start()
        if self._state is not None:
            self._restore(trainer, pl_module, self._state)
        self._begun_at, self._state = trainer.global_step, None
        self._step, self._time = trainer.global_step, time.monotonic()

    @property
    def has_begun(self) -> bool:
        """Whether everything has been restored, and training has begun."""
        return self._begun_at is not None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step != self._begun_at:
            self._write(trainer, EPOCH)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        done = completed_batches(trainer)
        if done == 0:  # the checkpoint before the epoch has just been written
            self._leave(trainer)
        elif done % trainer.accumulate_grad_batches == 0:
            number, due = self._due(trainer)
            if number or due:
                self._write(trainer, BATCH)
            if number:
                raise Interrupted(number)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._before_validation = random_states()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int, *_: object
    ) -> None:
        if trainer.state.fn != "fit":
            return
        number = self._agreed(trainer, self.signals.number or 0)
        if number and not 0 <= trainer.fit_loop.max_steps <= trainer.global_step:  # Lightning would not resume there
            self._write(trainer, VALIDATION)
        if number:
            raise Interrupted(number)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before_validation = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, END)
        self.signals.stop()
        self._leave(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.signals.stop()
        for loader in (trainer.train_dataloader, trainer.val_dataloaders):
            end_workers(loader)

    def _due(self, trainer: Trainer) -> tuple[int, bool]:
        """The number of the signal that came, or 0; and whether a checkpoint is due by steps or minutes."""
        number = self.signals.number or 0
        due = self.every_n_steps is not None and trainer.global_step - self._step >= self.every_n_steps
        late = self.every_minutes is not None and time.monotonic() - self._time >= 60 * self.every_minutes
        agreed = self._agreed(trainer, number + (1 << 10 if late else 0))
        return agreed & 1023, due or agreed >= 1 << 10

    def _agreed(self, trainer: Trainer, value: int) -> int:
        """The greatest value of all ranks: a signal may reach only one of them, or each at another batch."""
        if trainer.world_size == 1:
            return value
        greatest = torch.tensor(value, device=trainer.strategy.root_device)
        distributed.all_reduce(greatest, distributed.ReduceOp.MAX)
        return int(greatest)

    def _leave(self, trainer: Trainer) -> None:
        if number := self._agreed(trainer, self.signals.number or 0):
            raise Interrupted(number)

    def _write(self, trainer: Trainer, place: str) -> None:
        if self.directory is None:
            return
        self._place = place
        try:
            trainer.save_checkpoint(self.directory / LAST)
        finally:
            self._place = None
        self._step, self._time = trainer.global_step, time.monotonic()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Checkpoint) -> None:
        if self._place is None:
            return
        set_between_steps(checkpoint, self._place)
        before = self._before_validation if self._place == VALIDATION else None
        running = pl_module._running
        own = {
            "random": before or random_states(),
            "running": running.detach().cpu() if isinstance(running, Tensor) else None,
            "callbacks": {callback.state_key: callback.state_dict() for callback in _of_a_rank(trainer)},
        }
        checkpoint[KEY] = {
            "place": self._place,
            "loader": loader_position(checkpoint),
            "mark": self.identity,
            "curves": self.curves.curves,
            "logged_at": pl_module._logged_at,
            "epoch_sums": list(pl_module._epoch_sums),  # type: ignore[arg-type]
            "step_values": dict(pl_module._step),  # type: ignore[arg-type]
            "resumed": self.resumed,
            "ranks": _of_all_ranks(own, trainer.world_size),
            "versions": versions(),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Checkpoint) -> None:
        state = checkpoint.get(KEY)
        if state is None:
            raise UserError("this checkpoint holds a model, not a run to resume: give checkpoints/last.ckpt")
        mark = {**state["mark"], "config": modern(state["mark"]["config"])}
        for field, before, now in plain_differences(mark, self.identity):
            raise UserError(
                f"the checkpoint of this run has {field}={before}, now it is {now}: give resume=never to start again, "
                "or another name=NAME"
            )
        changed = plain_differences(state.get("versions") or versions(), versions())
        if parts := [f"{name} {now} instead of {before}" for name, before, now in changed]:
            log.warning(
                "the run resumes with %s: its numbers may differ from those of a run without an interruption",
                " and ".join(parts),
            )
        self.resumed = [*state["resumed"], checkpoint["global_step"]]
        self.curves.curves = state["curves"]
        for logger in self.loggers:
            logger.continue_after(self.resumed[-1])
        own = state["ranks"][trainer.global_rank]
        for callback in _of_a_rank(trainer):
            checkpoint["callbacks"][callback.state_key] = own["callbacks"][callback.state_key]
        for callback in callbacks_of(trainer):
            of_callback = checkpoint["callbacks"].get(callback.state_key)
            if isinstance(callback, ModelCheckpoint) and of_callback is not None:
                check_selected(restore_best(callback, of_callback))
        pl_module._logged_at, pl_module._running = state["logged_at"], own["running"]
        pl_module._step = state.get("step_values", {})
        sums = state.get("epoch_sums", (0.0, 0.0))  # older checkpoints have none
        pl_module._epoch_sums = tuple(sums)  # type: ignore[assignment]
        self._state = state
        # Lightning's state does not hold that early stopping had stopped the run: it would continue to train.
        trainer.should_stop = state["place"] == END

    def _restore(self, trainer: Trainer, pl_module: LightningModule, state: Checkpoint) -> None:
        """Restore the parts that need the model on its device and Lightning's loops about to begin."""
        if isinstance(pl_module._running, Tensor):
            pl_module._running = pl_module._running.to(pl_module.device)
        restart_loops(trainer, state["place"], state["loader"])
        if state["place"] != EPOCH:
            for callback in callbacks_of(trainer):
                if isinstance(callback, ThawEmbedding):  # its hook of this epoch was before the checkpoint
                    callback.on_train_epoch_start(trainer, pl_module)
        restore_random_states(state["ranks"][trainer.global_rank]["random"])


def _of_a_rank(trainer: Trainer) -> list[Callback]:
    """The callbacks that count the samples of their own rank."""
    return [callback for callback in callbacks_of(trainer) if isinstance(callback, BatchFingerprint | TrainingClock)]


def _of_all_ranks(own: Checkpoint, world: int) -> list[Checkpoint]:
    states = [own] * world
    if world > 1:
        distributed.all_gather_object(states, own)
    return states
