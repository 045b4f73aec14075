"""Lightning's Trainer, from the configuration."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import DDPStrategy, Strategy

from lightning_seq.callbacks.finite_guard import FiniteGuard
from lightning_seq.callbacks.progress import EpochLines, ProgressBar
from lightning_seq.callbacks.thaw import ThawEmbedding
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.lightning_internals import install_no_signal_handlers
from lightning_seq.spec import Batch
from lightning_seq.tasks.task import Task
from lightning_seq.training.checkpoint_files import CheckpointFiles
from lightning_seq.training.devices import PLACED, check_devices, check_processes, several_processes, started_by


def check_trainer(config: Config) -> None:
    """Raises UserError for impossible, absent or too many devices, and for a precision that they do not have."""
    check_devices(config)
    if config["launcher"]["kind"] not in ("submitit", "ray"):  # those run on other machines
        rank_zero = logging.getLogger("lightning.pytorch.utilities.rank_zero")
        level = rank_zero.level
        rank_zero.setLevel(logging.WARNING)  # Lightning describes the machine again when the run begins
        try:
            trainer = lightning_trainer(config, logger=False, enable_checkpointing=False, enable_progress_bar=False)
        finally:
            rank_zero.setLevel(level)
        check_processes(config, on_cpu=isinstance(trainer.accelerator, CPUAccelerator))


def cluster_environment(config: Config) -> ClusterEnvironment:
    """How Lightning's processes find one another.

    Lightning would take every process in an allocation of SLURM for a task of it; a comparison starts runs of one
    process there.
    """
    starter = started_by()
    if starter == "torchrun":
        return TorchElasticEnvironment()
    if starter == "slurm" and several_processes(config):
        return SLURMEnvironment(auto_requeue=False)  # `signals.requeueing` does that, after the checkpoint
    return LightningEnvironment()


def layout(config: Config, environment: Mapping[str, str] = os.environ) -> tuple[list[int] | str | int, int]:
    """The devices of a node and the number of nodes, as Lightning takes them.

    Ray may put a different number of workers on each machine: for Lightning each worker is a node.
    """
    settings = config["trainer"]
    if PLACED not in environment:
        return settings["devices"], settings["num_nodes"]
    own = 1 if settings["accelerator"] == "cpu" else [int(environment[PLACED])]
    return own, int(environment["WORLD_SIZE"])


def strategy(config: Config) -> Strategy | str:
    """One process, or data parallel over all: NCCL between GPUs, gloo between processes on CPUs.

    A rank that waits for another one longer than `trainer.timeout` seconds raises an error.
    """
    if not several_processes(config):
        return "auto"
    timeout = timedelta(seconds=config["trainer"]["timeout"])
    if type(config["embedding"].get("frozen")) is int:  # embeddings that thaw later have no gradient at first
        return DDPStrategy(timeout=timeout, find_unused_parameters=True)
    return DDPStrategy(timeout=timeout)


class NoProfiler(PassThroughProfiler):
    """One context for all hooks: Lightning makes about a hundred in a step."""

    _nothing: nullcontext[None] = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self._nothing


class KeyedOnce(Callback):
    """Computes the key of a callback of Lightning in checkpoints once: Lightning reads it at every hook."""

    @cached_property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, type(self).__bases__[1].__qualname__, 1)


class BestCheckpoint(KeyedOnce, ModelCheckpoint): ...


class Patience(KeyedOnce, EarlyStopping): ...


class ValidateAtLastStep(Callback):
    """Validate the last weights when `max_steps` ends training within an epoch, which Lightning would not."""

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
    settings, chosen = config["trainer"], config["callbacks"]
    callbacks: list[Callback] = [*watchers, ThawEmbedding(), ValidateAtLastStep(), EpochLines()]
    if chosen["finite_guard"]["policy"] != "ignore":
        callbacks.append(FiniteGuard(**chosen["finite_guard"]))
    if chosen["early_stopping"]:
        # At the end of a shortened epoch it would judge the metrics of the epoch before again.
        options = {"check_on_train_epoch_end": False, "strict": False, **chosen["early_stopping"]}
        callbacks.append(Patience(task.monitor, mode=task.mode, **options))
    if chosen["checkpoint"]:
        callbacks.append(
            BestCheckpoint(
                directory / "checkpoints", "best", task.monitor, mode=task.mode, auto_insert_metric_name=False,
                enable_version_counter=False,
            )
        )  # fmt: skip
    progress = bool(settings["progress"]) and sys.stderr.isatty()
    if progress:
        callbacks.append(ProgressBar())
    if resume_points is not None:
        callbacks.append(resume_points)
    passed = (
        "sync_batchnorm", "max_epochs", "max_steps", "gradient_clip_val", "accumulate_grad_batches",
        "log_every_n_steps",
    )  # fmt: skip
    return lightning_trainer(
        config,
        **{name: settings[name] for name in passed},
        logger=loggers,
        callbacks=callbacks,
        profiler=NoProfiler(),
        default_root_dir=directory,
        enable_progress_bar=progress,
        enable_checkpointing=chosen["checkpoint"],
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def lightning_trainer(config: Config, **more: Plain) -> Trainer:
    """Lightning's Trainer on the configured devices. Raises UserError for an absent device or precision."""
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
    except UserError:
        raise
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        words = " ".join(f"trainer.{key}={settings[key]}" for key in ("accelerator", "devices", "precision"))
        raise UserError(f"{words}: {str(error).rstrip('.!')}; use trainer=cpu without a GPU") from error
    install_no_signal_handlers(trainer)
    if settings["precision"] == "16-mixed" != trainer.precision:  # Lightning's choice for a CPU
        raise UserError(f"trainer.precision=16-mixed needs a GPU: on a CPU give trainer.precision={trainer.precision}")
    return trainer
