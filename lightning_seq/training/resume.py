"""From where a run goes on, so that it ends as if it had never stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, fingerprint
from lightning_seq.records.old_configuration import modern
from lightning_seq.training.checkpoints import LAST, is_good
from lightning_seq.training.random_states import random_states, restore_random_states
from lightning_seq.training.signals import Deferred, Interrupted

CHOICES = ("auto", "must", "never")
KEY = "resume"
"""Of what is here, in a checkpoint."""

BATCH, VALIDATION, EPOCH, END = "batch", "validation", "epoch", "end"
"""Where in training a checkpoint stands: before a batch, before a validation, before an epoch, after all."""


def check_resume(config: Config) -> None:
    """Raises UserError for a way to resume, or a distance of checkpoints, that there is not."""
    given = config["resume"]
    if given not in CHOICES:
        raise UserError(f"resume is {given!r}: {near(str(given), CHOICES)}")
    steps, minutes = (config["callbacks"][f"checkpoint_every_{unit}"] for unit in ("n_steps", "minutes"))
    if steps is not None and (type(steps) is not int or steps < 1):
        raise UserError(
            f"callbacks.checkpoint_every_n_steps is {steps!r}, expected a whole number of at least 1, or null"
        )
    if minutes is not None and (type(minutes) not in (int, float) or not minutes > 0):
        raise UserError(f"callbacks.checkpoint_every_minutes is {minutes!r}, expected a number above 0, or null")


def mark_of(config: Config, data: Any, world: int) -> dict[str, Plain]:
    """What a run and the checkpoint it goes on from must have in common, field by field.

    config: the essential part of it (`run.essential`).
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


class ResumePoints(Callback):
    """Writes `last.ckpt` where training can go on bit for bit, and puts everything back when it does.

    A checkpoint stands between two optimiser steps, where nothing is half done: before a batch, before a validation,
    before an epoch or at the end. It is written before each epoch, at the end, every so many steps or minutes where
    that is asked for, and at a signal: before the next batch that begins a step, or before the validation that it came
    in, which is then made again from its beginning. After it was written, a signal raises `Interrupted`.

    directory:     of the checkpoints; None: nothing is written.
    mark:          see `mark_of`.
    curves:        gives the curves so far, `restore_curves` takes those of the checkpoint.
    every_n_steps: optimiser steps between two checkpoints.
    every_minutes: minutes between two checkpoints.

    It stands behind all other callbacks. Raises UserError where the checkpoint is of another run, naming the field.
    """

    def __init__(
        self,
        directory: Path | None,
        mark: dict[str, Plain],
        curves: Callable[[], Plain],
        restore_curves: Callable[[Plain], None],
        every_n_steps: int | None = None,
        every_minutes: float | None = None,
    ) -> None:
        self.directory, self.mark = directory, mark
        self.curves, self.restore_curves = curves, restore_curves
        self.every_n_steps, self.every_minutes = every_n_steps, every_minutes
        self.signals = Deferred()
        self.resumed: list[int] = []
        """Optimiser steps at which the run was gone on with, over all resumes."""
        self._place: str | None = None
        self._found: dict[str, Any] | None = None
        self._begun_at: int | None = None
        self._step, self._time = 0, time.monotonic()
        self._before_validation: dict[str, Any] | None = None

    # Where a checkpoint is due

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.start()
        if self._found is not None:
            self._put_back(trainer, pl_module, self._found)
        self._begun_at, self._found = trainer.global_step, None
        self._step, self._time = trainer.global_step, time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step != self._begun_at:
            self._write(trainer, EPOCH)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        if done == 0:  # the epoch's own checkpoint has just been written
            self._leave(self._agreed(trainer, self.signals.number or 0))
        elif done % trainer.accumulate_grad_batches == 0:
            number, due = self._asked(trainer)
            if number or due:
                self._write(trainer, BATCH)
            self._leave(number)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._before_validation = random_states()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if trainer.state.fn != "fit":
            return
        number = self._agreed(trainer, self.signals.number or 0)
        if number and not 0 <= trainer.fit_loop.max_steps <= trainer.global_step:  # Lightning would not go back into it
            self._write(trainer, VALIDATION)
        self._leave(number)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before_validation = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, END)
        self.signals.stop()
        self._leave(self._agreed(trainer, self.signals.number or 0))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.signals.stop()
        for loader in (trainer.train_dataloader, trainer.val_dataloaders):
            end_workers(loader)

    def _asked(self, trainer: Trainer) -> tuple[int, bool]:
        """The signal that came, or 0, and whether a checkpoint is due by itself."""
        number = self.signals.number or 0
        due = self.every_n_steps is not None and trainer.global_step - self._step >= self.every_n_steps
        late = self.every_minutes is not None and time.monotonic() - self._time >= 60 * self.every_minutes
        agreed = self._agreed(trainer, number + (1 << 10 if late else 0))
        return agreed & 1023, due or agreed >= 1 << 10

    def _agreed(self, trainer: Trainer, value: int) -> int:
        """The greatest of all ranks: a signal may come to one of them, or to all at different batches."""
        if trainer.world_size == 1:
            return value
        found = torch.tensor(value, device=trainer.strategy.root_device)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)

    def _leave(self, number: int) -> None:
        if number:
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

    # What is in it

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._place is None:
            return
        loops = checkpoint["loops"]["fit_loop"]
        _between_steps(loops, self._place)
        drawn = self._before_validation if self._place == VALIDATION else None
        own = {
            "random": drawn or random_states(),
            "running": _on_cpu(pl_module._running),
            "callbacks": {callback.state_key: callback.state_dict() for callback in _of_a_rank(trainer)},
        }
        checkpoint[KEY] = {
            "place": self._place,
            "loader": loops["state_dict"]["combined_loader"][0],
            "mark": self.mark,
            "curves": self.curves(),
            "logged_at": pl_module._logged_at,
            "epoch_sums": list(pl_module._epoch_sums),  # type: ignore[arg-type]
            "step_values": dict(pl_module._step),  # type: ignore[arg-type]
            "resumed": self.resumed,
            "ranks": _of_all_ranks(own, trainer.world_size),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        found = checkpoint.get(KEY)
        if found is None:
            raise UserError("this checkpoint holds a model, not a run to go on with: give checkpoints/last.ckpt")
        mark = {**found["mark"], "config": modern(found["mark"]["config"])}
        for field, before, now in plain_differences(mark, self.mark):
            raise UserError(
                f"the checkpoint of this run has {field}={before}, now it is {now}: give resume=never to start anew, "
                "or another name=NAME"
            )
        self.resumed = [*found["resumed"], checkpoint["global_step"]]
        self.restore_curves(found["curves"])
        own = found["ranks"][trainer.global_rank]
        for callback in _of_a_rank(trainer):
            checkpoint["callbacks"][callback.state_key] = own["callbacks"][callback.state_key]
        for callback in callbacks_of(trainer):
            state = checkpoint["callbacks"].get(callback.state_key)
            if isinstance(callback, ModelCheckpoint) and state is not None:
                _moved(state, str(callback.dirpath))
                _check_best(state["best_model_path"])
                callback.current_score = state["current_score"]
        pl_module._logged_at, pl_module._running = found["logged_at"], own["running"]
        pl_module._step = found.get("step_values", {})
        sums = found.get("epoch_sums", (0.0, 0.0))  # older checkpoints have none
        pl_module._epoch_sums = tuple(sums)  # type: ignore[assignment]
        self._found = found
        # Lightning would train on after early stopping: that it had stopped is in none of its states.
        trainer.should_stop = found["place"] == END

    def _put_back(self, trainer: Trainer, pl_module: LightningModule, found: dict[str, Any]) -> None:
        """What can only be put back when everything is on its device and Lightning's loops are about to begin."""
        own = found["ranks"][trainer.global_rank]
        if isinstance(pl_module._running, Tensor):
            pl_module._running = pl_module._running.to(pl_module.device)
        # Lightning has asked for the loader before it read where it was, if a schedule wanted the number of steps.
        trainer.train_dataloader.load_state_dict(found["loader"])  # type: ignore[union-attr]
        # A loop that is "restarting" leaves out the plateau schedule at the end of its epoch.
        trainer.fit_loop._restarting = False
        if found["place"] == EPOCH:
            trainer.fit_loop.epoch_loop.restarting = False
        else:
            trainer.fit_loop.epoch_loop.val_loop.batch_progress.total.reset()
            for callback in callbacks_of(trainer):
                if isinstance(callback, ThawEmbedding):  # an epoch that goes on does not begin again
                    callback.on_train_epoch_start(trainer, pl_module)
        restore_random_states(own["random"])


def _check_best(path: str) -> None:
    """Raises UserError where the weights that a run had chosen are gone: it would be tested with others."""
    if path and not is_good(Path(path)):
        raise UserError(
            f"{path} is missing or damaged, and this run had chosen its weights: put it back, or give resume=never to "
            "start anew"
        )


def callbacks_of(trainer: Any) -> list[Callback]:
    return trainer.callbacks


def _on_cpu(value: Any) -> Tensor | None:
    return value.detach().cpu() if isinstance(value, Tensor) else None


def _of_a_rank(trainer: Trainer) -> list[Callback]:
    """Those that count what their own rank has seen."""
    return [callback for callback in callbacks_of(trainer) if isinstance(callback, BatchFingerprint | TrainingClock)]


def _of_all_ranks(own: dict[str, Any], world: int) -> list[dict[str, Any]]:
    if world == 1:
        return [own]
    found: list[Any] = [None] * world
    distributed.all_gather_object(found, own)
    return found


def _moved(state: dict[str, Any], directory: str) -> None:
    """Let Lightning know the best checkpoint again where the run's directory has another path now."""
    if state["dirpath"] == directory:
        return

    def there(path: str) -> str:
        return str(Path(directory) / Path(path).name) if path else path

    state["dirpath"] = directory
    for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
        state[name] = there(state[name])
    state["best_k_models"] = {there(path): score for path, score in state["best_k_models"].items()}


def _between_steps(loops: dict[str, Any], place: str) -> None:
    """Lightning's counters as they are between two steps: it counts what it has fetched, and has not begun.

    As they come, it would skip or repeat a batch, or a whole epoch where it was saved at its edge.
    """
    epoch, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    position = 0
    if place == BATCH:
        for counter in (batches["total"], batches["current"]):
            counter["ready"] = counter["completed"]
        batches["is_last_batch"] = False
        position = batches["current"]["completed"]
    elif place == EPOCH:
        for counter in (epoch["total"], epoch["current"]):
            counter["ready"] = counter["completed"]
        batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False
    elif place == VALIDATION:  # as one that was broken off in its first batch
        validation = loops["epoch_loop.val_loop.batch_progress"]
        validation["current"] = dict.fromkeys(validation["current"], 0)
        validation["total"] = {"ready": 1, "completed": 0, "started": 1, "processed": 0}
        validation["is_last_batch"] = False
    loops["state_dict"]["combined_loader"] = [{"position": position}]
