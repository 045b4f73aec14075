"""One run on many devices: how its processes are started, find one another, and wait for one another.

    ours       `trainer=ddp trainer.devices=4`: this package starts a process for each (`launch/ranks.py`)
    torchrun   `torchrun … -m lightning_seq train …`, once on each node
    slurm      `srun … lightning-seq train …`, one task a device

torch and torchrun name a process by RANK, LOCAL_RANK and WORLD_SIZE, SLURM by names of its own: `adopt` gives a SLURM
task torch's names too. Everything else reads those.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments import ClusterEnvironment
    from lightning.pytorch.strategies import Strategy

ELASTIC = "TORCHELASTIC_RUN_ID"
PLACED = "LIGHTNING_SEQ_DEVICE"
"""For a worker of Ray the number of its device among those of its machine that it sees."""
INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which somebody types, as Lightning has them: their processes are not tasks of `srun`."""
OF_SLURM = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_NTASKS"}


def several_processes(config: Config) -> bool:
    """Whether a run has several processes."""
    return config["trainer"]["num_nodes"] > 1 or config["trainer"]["devices"] not in (1, "1", [0])


def started_by(environment: MutableMapping[str, str] = os.environ) -> str | None:
    """`torchrun` or `slurm` where one of them started this process as one of several, else None."""
    if ELASTIC in environment:
        return "torchrun"
    of_a_step = "SLURM_STEP_ID" in environment and environment.get("SLURM_JOB_NAME") not in INTERACTIVE
    if of_a_step and int(environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS", "1"))) > 1:
        return "slurm"
    return None


def adopt(environment: MutableMapping[str, str] = os.environ) -> None:
    """Give a task of SLURM the names by which torch knows a process."""
    if started_by(environment) == "slurm":
        for ours, theirs in OF_SLURM.items():
            environment.setdefault(ours, environment[theirs])


def check_devices(config: Config, environment: MutableMapping[str, str] = os.environ) -> None:
    """Raises UserError for several nodes that nobody has started processes on, for processes that are not as many as
    asked for, and for devices or a timeout that are none."""
    trainer, starter = config["trainer"], started_by(environment)
    nodes, devices, timeout = trainer["num_nodes"], trainer["devices"], trainer["timeout"]
    if type(nodes) is not int or nodes < 1:
        raise UserError(f"trainer.num_nodes is {nodes}, expected a whole number of at least 1")
    if type(timeout) not in (int, float) or not timeout > 0:
        raise UserError(f"trainer.timeout is {timeout}, expected seconds, more than 0")
    theirs = starter is not None or config["launcher"]["kind"] in ("submitit", "ray")
    if not _are_devices(devices, trainer["accelerator"]) and not (devices == "auto" and theirs):
        raise UserError(
            f"trainer.devices is {devices}, expected how many (at least 1; -1 for all GPUs), or a list of the numbers "
            "of different GPUs"
        )
    if nodes > 1 and not theirs:
        raise UserError(
            f"trainer.num_nodes is {nodes}, and this process is alone: start it on every node with torchrun, or with "
            "srun, or give launcher=submitit or launcher=ray"
        )
    if starter is None or config["launcher"]["kind"] in ("submitit", "ray"):
        return
    count = len(devices) if isinstance(devices, list) else int(devices) if str(devices).isdecimal() else None
    world = int(environment[OF_SLURM["WORLD_SIZE"] if starter == "slurm" else "WORLD_SIZE"])
    if count is not None and count * nodes != world:
        raise UserError(
            f"{starter} started {world} processes, and trainer.devices={devices} trainer.num_nodes={nodes} asks for "
            f"{count * nodes}: let the two agree"
        )


def _are_devices(given: object, accelerator: str) -> bool:
    if isinstance(given, list):
        return bool(given) and all(type(one) is int and one >= 0 for one in given) and len({*given}) == len(given)
    if isinstance(given, str):
        return given.isdecimal() and int(given) > 0
    return type(given) is int and (given > 0 or (given == -1 and accelerator != "cpu"))


def cluster_environment(config: Config, environment: MutableMapping[str, str] = os.environ) -> ClusterEnvironment:
    """How Lightning's processes find one another.

    Chosen here and not by Lightning, which takes every process in an allocation of SLURM for a task of it: runs of one
    process that a comparison starts there are none.
    """
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment

    starter = started_by(environment)
    if starter == "torchrun":
        return TorchElasticEnvironment()
    if starter == "slurm" and several_processes(config):
        return SLURMEnvironment(auto_requeue=False)  # `signals.requeueing` does that, when the checkpoint is written
    return LightningEnvironment()


def layout(config: Config, environment: MutableMapping[str, str] = os.environ) -> tuple[list[int] | str | int, int]:
    """The devices of a node and the number of nodes, as Lightning takes them.

    Ray puts each worker where there is room, and not as many on every machine: to Lightning each is a node of its own.
    """
    settings = config["trainer"]
    if PLACED not in environment:
        return settings["devices"], settings["num_nodes"]
    own = 1 if settings["accelerator"] == "cpu" else [int(environment[PLACED])]
    return own, int(environment["WORLD_SIZE"])


def strategy(config: Config) -> Strategy | str:
    """One process, or data parallel over all: NCCL between GPUs, gloo between processes on CPUs.

    Whoever waits for another rank longer than `trainer.timeout` seconds raises. Embeddings that thaw later have no
    gradient at first, and data parallel training must be told.
    """
    if not several_processes(config):
        return "auto"
    from lightning.pytorch.strategies import DDPStrategy

    given: dict[str, Any] = {}
    if type(config["embedding"].get("frozen")) is int:
        given["find_unused_parameters"] = True
    return DDPStrategy(timeout=timedelta(seconds=config["trainer"]["timeout"]), **given)
