"""Runs as an array of SLURM jobs, through submitit.

A task starts the run from its configuration as the local launcher does. It needs this package, and the directories of
runs and caches on a file system that all nodes share. submitit passes tasks in pickles below
`<runs>/<name>/.submitit/`: whoever may write there may run code as you.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Protocol

from lightning_seq.errors import UserError, first_line
from lightning_seq.files import Plain
from lightning_seq.launch.job import ClusterJob, Job, at_work, end, finalize_record, package, run_as_rank
from lightning_seq.launch.local import LocalJob, carry_out
from lightning_seq.own_modules import python
from lightning_seq.training.devices import adopt, processes_on_node
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.signals import requeueing

FOLDER = ".submitit"
CPUS = 4
MOMENT = 30.0
"""Seconds until a shared file system shows the end of a job and its files."""


class SubmititJob(Protocol):
    def done(self) -> bool: ...

    def cancel(self, check: bool) -> None: ...


def submitit() -> ModuleType:
    """The package. Raises UserError if it is not installed."""
    os.environ.setdefault("SUBMITIT_PREEMPT_SIGNAL", "USR1")  # a signal that SLURM may send and runs handle
    return package("submitit", extra="slurm")


def parameters(run: Planned, jobs: int) -> dict[str, Plain]:
    """The resources of one run, by submitit's names: over several nodes a task for each process; else one task, which
    starts the run's processes on its node."""
    launcher, trainer = run.config["launcher"], run.config["trainer"]
    several_nodes, count = trainer["num_nodes"] > 1, processes_on_node(run.config)
    if count is None:
        raise UserError(f"trainer.devices is {trainer['devices']}, and SLURM needs a number: give a number")
    cpus = launcher["cpus"] or trainer["threads"] or CPUS
    values: dict[str, Plain] = {
        "name": f"{run.config['name']}".replace("/", "-"),
        "timeout_min": launcher["minutes"],
        "mem_gb": launcher["memory"],
        "nodes": trainer["num_nodes"],
        "tasks_per_node": count if several_nodes else 1,
        "cpus_per_task": cpus if several_nodes else cpus * count,
    }
    if trainer["accelerator"] in ("gpu", "cuda", "auto"):
        values["gpus_per_node"] = count
    if launcher["cluster"] == "slurm":
        values["slurm_array_parallelism"] = jobs
        named = {key: launcher[key] for key in ("partition", "account") if launcher[key]}
        values |= {f"slurm_{key}": value for key, value in {**named, **launcher["sbatch"]}.items()}
        if launcher["setup"]:
            values["slurm_setup"] = list(launcher["setup"])
    return values


class Task:
    """The task of a job; SLURM queues it again when its time is over or another job preempts it."""

    def __init__(self) -> None:
        self._job: LocalJob | None = None

    def __call__(self, run: Planned, directory: str) -> int:
        os.chdir(directory)
        if run.config["trainer"]["num_nodes"] == 1:
            return carry_out(run, self._begin)
        adopt()
        if not run.is_done():
            with requeueing():
                run_as_rank(run)
        return 0

    def _begin(self, job: LocalJob) -> None:
        self._job = job

    def checkpoint(self, run: Planned, directory: str) -> object:
        """Called by submitit in the task's process before it ends: the run ends first, as at a signal."""
        if self._job is not None:
            end([self._job])
        return submitit().helpers.DelayedSubmission(Task(), run, directory)


class SubmittedJob(ClusterJob[SubmititJob]):
    def finished(self) -> bool:
        with suppress(Exception):  # asked again later
            return bool(self.handle.done())
        return False

    def cancel(self, again: bool) -> None:
        self.handle.cancel(check=False)

    def finalize(self) -> None:
        if at_work(self.run.directory):
            return
        begun = time.monotonic()
        while (record := record_of(self.run)) is None or record.status == "running":
            if time.monotonic() - begun > (MOMENT if self.run.config["launcher"]["cluster"] == "slurm" else 0):
                finalize_record(self.run, None)
                return
            time.sleep(1)


class SubmititLauncher:
    """Raises UserError if submitit or SLURM is missing, and for a parameter that submitit does not know."""

    def __init__(self, runs: Sequence[Planned]) -> None:
        self._submitit = submitit()
        self._cluster = runs[0].config["launcher"]["cluster"]
        self.queues = self._cluster == "slurm"
        self._folder = runs[0].directory.parent / FOLDER

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        """Runs with the same parameters are one array."""
        arrays: list[tuple[dict[str, Plain], list[Planned]]] = []
        for run in runs:
            values = parameters(run, jobs)
            array = next((array for known, array in arrays if known == values), None)
            if array is None:
                arrays.append((values, [run]))
            else:
                array.append(run)
        started: list[Job] = []
        for values, array in arrays:
            try:
                command = shlex.join(python())
                executor = self._submitit.AutoExecutor(
                    folder=self._folder / "%j", cluster=self._cluster, slurm_python=command, local_python=command
                )
                executor.update_parameters(**values)
                submitted = executor.map_array(Task(), array, [os.getcwd()] * len(array))
            except Exception as error:  # submitit or its plugin may raise anything when a queue refuses
                raise UserError(f"launcher=submitit: {first_line(error)}") from error
            started += [SubmittedJob(run, job) for run, job in zip(array, submitted, strict=True)]
        return started

    def close(self) -> None: ...
