"""Runs as an array of SLURM jobs, through submitit.

A task starts the run from its configuration as a launcher on this machine would, so it needs this package and the
directories of runs and caches on a file system that all nodes share. submitit hands over what a task is to do in
pickles of its own, below `<runs>/<name>/.submitit/`: whoever may write there may run code as you.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from lightning_seq.errors import UserError, first_line, install
from lightning_seq.launch.job import Job, at_work, end, finalize_record, run_as_rank
from lightning_seq.launch.local import LocalJob, carry_out
from lightning_seq.training.devices import adopt
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.run import execute
from lightning_seq.training.signals import requeueing

CLUSTERS = ("slurm", "local")
FOLDER = ".submitit"
CPUS = 4
PATIENCE = 300.0
"""Seconds between the starts of the first and the last node of a job."""
MOMENT = 30.0
"""Seconds in which the end of a job, and what it wrote, come to be seen over a shared file system."""


def submitit() -> ModuleType:
    """The package. Raises UserError where it is not installed."""
    os.environ.setdefault("SUBMITIT_PREEMPT_SIGNAL", "USR1")  # of the signals that SLURM may send, one that runs know
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise UserError(f"launcher=submitit needs submitit, which is not installed: {install('slurm')}") from None


def parameters(run: Planned, jobs: int) -> dict[str, Any]:
    """What is asked of the cluster for one run, by submitit's names: a task for each process over several nodes, else
    one, which starts the run's processes on its node."""
    launcher, trainer = run.config["launcher"], run.config["trainer"]
    nodes, devices = trainer["num_nodes"], trainer["devices"]
    count = len(devices) if isinstance(devices, list) else int(devices) if str(devices).isdecimal() else None
    if count is None:
        raise UserError(f"trainer.devices is {devices}, and SLURM must be told how many: give a number")
    cpus = launcher["cpus"] or trainer["threads"] or CPUS
    asked: dict[str, Any] = {
        "name": f"{run.config['name']}".replace("/", "-"),
        "timeout_min": launcher["minutes"],
        "mem_gb": launcher["memory"],
        "nodes": nodes,
        "tasks_per_node": count if nodes > 1 else 1,
        "cpus_per_task": cpus if nodes > 1 else cpus * count,
    }
    if trainer["accelerator"] in ("gpu", "cuda", "auto"):
        asked["gpus_per_node"] = count
    if launcher["cluster"] == "slurm":
        asked["slurm_array_parallelism"] = jobs
        named = {key: launcher[key] for key in ("partition", "account") if launcher[key]}
        asked |= {f"slurm_{key}": value for key, value in {**named, **launcher["sbatch"]}.items()}
        if launcher["setup"]:
            asked["slurm_setup"] = list(launcher["setup"])
    return asked


class Task:
    """What a job of the cluster does; put into the queue again when its time is over or it must make room."""

    def __init__(self) -> None:
        self._job: LocalJob | None = None

    def __call__(self, run: Planned, directory: str) -> int:
        os.chdir(directory)
        if run.config["trainer"]["num_nodes"] > 1:
            return _as_rank(run)
        return carry_out(run, self._begin)

    def _begin(self, job: LocalJob) -> None:
        self._job = job

    def checkpoint(self, run: Planned, directory: str) -> Any:
        """Called by submitit in the task's process, before that is ended: the run ends first, as at a signal."""
        if self._job is not None:
            end([self._job])
        return submitit().helpers.DelayedSubmission(Task(), run, directory)


def _as_rank(run: Planned) -> int:
    """One of the processes of a run over several nodes."""
    adopt()
    if not run.is_done():
        with requeueing():
            run_as_rank(run, lambda: execute(run.directory, run.entry.label, run.entry.overrides), PATIENCE)
    return 0


class SubmittedJob:
    def __init__(self, run: Planned, job: Any) -> None:
        self.run, self._job, self.started = run, job, time.monotonic()
        self._code: int | None = None
        self._told = False

    def finished(self) -> bool:
        with suppress(Exception):  # what cannot be asked now is asked again
            return bool(self._job.done())
        return False

    def send_signal(self, number: int) -> None:
        if self._told and number != signal.SIGKILL:
            return
        self._told = True
        with suppress(Exception):
            self._job.cancel(check=False)

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
    """Raises UserError where submitit, or SLURM, is not there, and for a parameter that it does not know."""

    def __init__(self, runs: Sequence[Planned]) -> None:
        self._submitit = submitit()
        self._cluster = runs[0].config["launcher"]["cluster"]
        if self._cluster not in CLUSTERS:
            raise UserError(f"launcher.cluster is {self._cluster!r}, expected {' or '.join(CLUSTERS)}")
        self.queues = self._cluster == "slurm"
        self._folder = runs[0].directory.parent / FOLDER

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        """Runs that ask for the same are one array."""
        arrays: list[tuple[dict[str, Any], list[Planned]]] = []
        for run in runs:
            asked = parameters(run, jobs)
            of_these = next((array for known, array in arrays if known == asked), None)
            if of_these is None:
                arrays.append((asked, [run]))
            else:
                of_these.append(run)
        found: list[Job] = []
        for asked, array in arrays:
            try:
                executor = self._submitit.AutoExecutor(folder=self._folder / "%j", cluster=self._cluster)
                executor.update_parameters(**asked)
                given = [os.getcwd()] * len(array)
                submitted = executor.map_array(Task(), array, given)
            except Exception as error:  # of a queue that refuses, what submitit or its plugin raises
                raise UserError(f"launcher=submitit: {first_line(error)}") from error
            found += [SubmittedJob(run, job) for run, job in zip(array, submitted, strict=True)]
        return found

    def close(self) -> None:
        pass
