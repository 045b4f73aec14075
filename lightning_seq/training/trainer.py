"""Lightning's Trainer, as the configuration asks."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import PassThroughProfiler

from lightning_seq.callbacks.finite_guard import FiniteGuard
from lightning_seq.callbacks.progress import EpochLines, ProgressBar
from lightning_seq.callbacks.thaw import ThawEmbedding
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, near
from lightning_seq.lightning_internals import install_no_signal_handlers
from lightning_seq.spec import Batch
from lightning_seq.tasks.task import Task
from lightning_seq.training.checkpoint_files import CheckpointFiles
from lightning_seq.training.devices import check_devices, cluster_environment, layout, strategy

log = logging.getLogger("lightning_seq")


PRECISIONS = ("32-true", "32", "16-mixed", "bf16-mixed")


def check_trainer(config: Config) -> None:
    """Raises UserError for an unknown precision, for impossible or absent devices, and for settings of the finite guard
    out of range."""
    check_devices(config)
    FiniteGuard(**config["callbacks"]["finite_guard"])
    precision = str(config["trainer"]["precision"])
    if precision not in PRECISIONS:
        raise UserError(f"trainer.precision is {precision}: {near(precision, PRECISIONS)}")
    if config["launcher"]["kind"] not in ("submitit", "ray"):  # those run on other machines
        said = logging.getLogger("lightning.pytorch.utilities.rank_zero")
        level = said.level
        said.setLevel(logging.WARNING)  # Lightning describes the machine again when the run begins
        try:
            lightning_trainer(config, logger=False, enable_checkpointing=False, enable_progress_bar=False)
        finally:
            said.setLevel(level)


class NoProfiler(PassThroughProfiler):
    """Lightning makes a new context for every hook of every callback, about a hundred in a step; this is one."""

    _nothing: nullcontext[None] = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self._nothing


class KeyedOnce(Callback):
    """A callback of Lightning that computes its key in checkpoints once: Lightning asks for it at every hook."""

    ORIGINAL: ClassVar[type[Callback]]

    @cached_property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, self.ORIGINAL.__qualname__, 1)


class BestCheckpoint(KeyedOnce, ModelCheckpoint):
    ORIGINAL = ModelCheckpoint


class Patience(KeyedOnce, EarlyStopping):
    ORIGINAL = EarlyStopping


class ValidateAtLastStep(Callback):
    """Validate the last weights when `max_steps` ends training within an epoch: Lightning would not."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        if 0 <= trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True


def build_trainer(
    config: Config,
    directory: Path,
    task: Task,
    loggers: list[Logger],
    watchers: list[Callback],
    resume_points: Callback | None = None,
) -> Trainer:
    """Lightning's Trainer with the best checkpoint, resume points, early stopping and clipping.

    Raises UserError for an absent accelerator.
    """
    settings = config["trainer"]
    callbacks: list[Callback] = [*watchers, ThawEmbedding(), ValidateAtLastStep(), EpochLines()]
    guard = FiniteGuard(**config["callbacks"]["finite_guard"])
    if guard.policy != "ignore":
        callbacks.append(guard)
    stopping = config["callbacks"]["early_stopping"]
    if stopping:
        # At the end of a shortened epoch it would judge the metrics of the epoch before once more.
        patience = Patience(
            monitor=task.monitor, mode=task.mode, strict=False, check_on_train_epoch_end=False, **stopping
        )
        callbacks.append(patience)
    if config["callbacks"]["checkpoint"]:
        best = BestCheckpoint(
            dirpath=directory / "checkpoints",
            filename="best",
            monitor=task.monitor,
            mode=task.mode,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        callbacks.append(best)
    progress = bool(settings["progress"]) and sys.stderr.isatty()
    if progress:
        callbacks.append(ProgressBar())
    if resume_points is not None:
        callbacks.append(resume_points)
    return lightning_trainer(
        config,
        sync_batchnorm=settings["sync_batchnorm"],
        max_epochs=settings["max_epochs"],
        max_steps=settings["max_steps"],
        gradient_clip_val=settings["gradient_clip_val"],
        accumulate_grad_batches=settings["accumulate_grad_batches"],
        log_every_n_steps=settings["log_every_n_steps"],
        logger=loggers,
        callbacks=callbacks,
        profiler=NoProfiler(),
        default_root_dir=directory,
        enable_progress_bar=progress,
        enable_checkpointing=bool(config["callbacks"]["checkpoint"]),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def lightning_trainer(config: Config, **more: Any) -> Trainer:
    """Lightning's Trainer on the configured devices. Raises UserError for an absent device or an unknown precision."""
    settings = config["trainer"]
    devices, nodes = layout(config)
    warnings.filterwarnings("ignore", ".*AMP with fp16 is not supported on CPU.*")  # refused below
    try:
        trainer = Trainer(
            accelerator=settings["accelerator"],
            devices=devices,
            num_nodes=nodes,
            strategy=strategy(config),
            precision=settings["precision"],
            plugins=[CheckpointFiles(config["callbacks"]["keep_optimizer"]), cluster_environment(config)],
            **more,
        )
    except Exception as error:  # a UserError, which is a ValueError too, has another name
        if type(error).__name__ in ("MisconfigurationException", "ValueError", "RuntimeError"):
            given = " ".join(f"trainer.{key}={settings[key]}" for key in ("accelerator", "devices", "precision"))
            raise UserError(f"{given}: {str(error).rstrip('.!')}; use trainer=cpu where there is no GPU") from error
        raise
    install_no_signal_handlers(trainer)
    if settings["precision"] == "16-mixed" != trainer.precision:  # Lightning's choice for a CPU
        raise UserError(f"trainer.precision=16-mixed needs a GPU: on a CPU give trainer.precision={trainer.precision}")
    return trainer
