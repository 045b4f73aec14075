"""One run on many devices: how its processes are started, find one another, and wait for one another.

    ours       `trainer=ddp trainer.devices=4`: this package starts a process for each (`launch/ranks.py`)
    torchrun   `torchrun … -m lightning_seq train …`, once on each node
    slurm      `srun … lightning-seq train …`, one task for each device

torch and torchrun name a process by RANK, LOCAL_RANK and WORLD_SIZE. `adopt` sets these for a task of SLURM too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import value_at
from lightning_seq.printable import number_of
from lightning_seq.training.threads import cores

LEAST_MOST, MOST_PER_CORE = 32, 8
"""The most processes of a machine: for each core, and on a machine with few cores."""
ELASTIC = "TORCHELASTIC_RUN_ID"
PLACED = "LIGHTNING_SEQ_DEVICE"
"""For a worker of Ray the number of its device among the visible ones of its machine."""
INTERACTIVE = ("bash", "interactive")
"""Names of interactive SLURM jobs, as in Lightning: their processes are not tasks of `srun`."""
WORLD_SIZE_OF = {"torchrun": "WORLD_SIZE", "slurm": "SLURM_NTASKS"}
OF_SLURM = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_NTASKS"}


def several_processes(config: Config) -> bool:
    """Whether a run has several processes."""
    return config["trainer"]["num_nodes"] > 1 or config["trainer"]["devices"] not in (1, "1", [0])


def started_by(environment: Mapping[str, str] = os.environ) -> str | None:
    """`torchrun` or `slurm` if it started this process as one of several, else None."""
    if ELASTIC in environment:
        return "torchrun"
    of_a_step = "SLURM_STEP_ID" in environment and environment.get("SLURM_JOB_NAME") not in INTERACTIVE
    if of_a_step and int(environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS", "1"))) > 1:
        return "slurm"
    return None


def adopt(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables by which torch knows a process, in a task of SLURM."""
    if started_by(environment) == "slurm":
        for ours, theirs in OF_SLURM.items():
            environment.setdefault(ours, environment[theirs])


def processes_on_node(config: Config) -> int | None:
    """The number of processes, one for each device; None where `trainer.devices` leaves it open."""
    devices = config["trainer"]["devices"]
    return len(devices) if isinstance(devices, list) else int(devices) if str(devices).isdecimal() else None


def check_processes(config: Config, on_cpu: bool) -> None:
    """Raises UserError for more processes or threads than this machine can run well.

    on_cpu: whether runs train on the CPU; on GPUs as many run at a time as there are devices.
    """
    if config["launcher"]["kind"] in ("submitit", "ray"):  # those run on other machines
        return
    devices = processes_on_node(config) if on_cpu and started_by() is None else 1
    jobs = config["jobs"] if on_cpu and config["launcher"]["kind"] == "local" else 1
    workers, threads = config["data"].get("num_workers") or 0, config["trainer"]["threads"] or 1
    most = max(LEAST_MOST, MOST_PER_CORE * cores())
    processes = jobs * (devices or 1) * (1 + workers)
    for count, what, keys in (
        (processes, "processes", ("jobs", "trainer.devices", "data.num_workers")),
        (threads, "threads", ("trainer.threads",)),
    ):
        if count > most:
            words = " ".join(f"{key}={value}" for key in keys if (value := value_at(config, key)) not in (None, 0, 1))
            raise UserError(
                f"{words}: {count:,} {what} on a machine with {number_of(cores(), 'core')}, expected at most {most}: "
                "give smaller numbers"
            )


def check_devices(config: Config, environment: Mapping[str, str] = os.environ) -> None:
    """Raises UserError for impossible devices, for several nodes without processes on them, and for a wrong number of
    processes."""
    trainer, starter = config["trainer"], started_by(environment)
    nodes, devices = trainer["num_nodes"], trainer["devices"]
    on_cluster = config["launcher"]["kind"] in ("submitit", "ray")
    if isinstance(devices, list):
        possible = 0 < len(devices) == len({*devices})
    elif devices == -1 or devices == "auto":
        possible = trainer["accelerator"] != "cpu" if devices == -1 else on_cluster or starter is not None
    else:
        possible = str(devices).isdecimal() and int(devices) > 0
    if not possible:
        raise UserError(
            f"trainer.devices is {devices}, expected how many (at least 1; -1 for all GPUs), or a list of the numbers "
            "of different GPUs"
        )
    if on_cluster:
        return
    if starter is None:
        if nodes > 1:
            raise UserError(
                f"trainer.num_nodes is {nodes}, and this process is alone: start it on every node with torchrun, or "
                "with srun, or give launcher=submitit or launcher=ray"
            )
        return
    count, world = processes_on_node(config), int(environment[WORLD_SIZE_OF[starter]])
    if count is not None and count * nodes != world:
        raise UserError(
            f"{starter} started {world} processes, and trainer.devices={devices} trainer.num_nodes={nodes} asks for "
            f"{count * nodes}: let the two agree"
        )
