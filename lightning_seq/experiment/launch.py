"""Run after run, each a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from lightning_seq.errors import UserError
from lightning_seq.experiment.environment import several_processes, threads_per_job
from lightning_seq.experiment.grid import Planned
from lightning_seq.experiment.nursery import Child, Nursery
from lightning_seq.experiment.run import LOG, TESTIMONY, execute, is_running, now, started_record, write_config
from lightning_seq.record import FILE, read, write

GRACE, GRACE_SEVERAL = 15.0, 45.0
"""Seconds a run has to write its record after it was told to end; torchrun takes up to 30 to end its processes."""


MODULES = tuple(f"lightning_seq.experiment.{name}" for name in ("run", "build", "trainer", "loggers", "environment"))
"""What every run imports."""


def command(run: Planned) -> list[str]:
    """What starts a run's process, or through torchrun its processes."""
    module = "lightning_seq.experiment.run"
    trainer = run.config["trainer"]
    if not several_processes(run.config):
        return [sys.executable, "-m", module, str(run.directory)]
    devices = trainer["devices"]
    count = len(devices) if isinstance(devices, list) else devices
    processes = "gpu" if count in ("auto", -1, "-1") else str(count)
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
        "-m", module, str(run.directory),
    ]  # fmt: skip


def lay_out(run: Planned) -> None:
    """A fresh run directory: whatever an earlier, unfinished attempt left is taken away, the configuration is written.

    Raises UserError when another process is at work in it, or it cannot be written.
    """
    directory = run.directory
    if is_running(directory):
        raise UserError(f"{directory} is being run by another process: wait for it, or give another name=NAME")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for left in ("checkpoints", "wandb", "tensorboard"):
            shutil.rmtree(directory / left, ignore_errors=True)
        for left in (FILE, LOG, "metrics.csv", "predictions.parquet", "word_map.json"):
            (directory / left).unlink(missing_ok=True)
        for testimony in directory.glob(TESTIMONY.format("*")):
            testimony.unlink()
        write_config(directory, run.config)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
        ) from error


class Job:
    """A run's process, its output in the run's `log.txt`; copied from a nursery where there is one."""

    def __init__(self, run: Planned, jobs: int, nursery: Nursery | None = None) -> None:
        self.run, self.started = run, time.monotonic()
        lay_out(run)
        threads = str(threads_per_job(run.config))
        given = {"label": run.entry.label, "overrides": run.entry.overrides, "jobs": jobs, "started": now()}
        environment = {
            **os.environ,
            "LIGHTNING_SEQ_RUN": json.dumps(given),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "PYTHONUNBUFFERED": "1",
            "TORCH_CPP_LOG_LEVEL": "ERROR",
        }
        self.process: subprocess.Popen[bytes] | Child
        if nursery is not None:
            with suppress(OSError):  # it was killed: a process can still be started afresh
                self.process = nursery.start([str(run.directory)], environment, run.directory / LOG)
                return
        with (run.directory / LOG).open("ab") as log:
            self.process = subprocess.Popen(
                command(run), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def finished(self) -> bool:
        return self.process.poll() is not None

    def tell(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def settle(self) -> None:
        """Where the process died without a word, say so in its record."""
        if is_running(self.run.directory):
            return  # another process took the run between our starting it and its lock
        code = self.process.returncode
        path = self.run.directory / FILE
        record = read(path) if path.is_file() else None
        told = sorted(self.run.directory.glob(TESTIMONY.format("*")))
        if told and record is not None and record.status != "done":
            write(self.run.directory, record.with_(status="failed", error=told[0].read_text(encoding="utf-8")))
            return
        if record is None or record.status == "running":
            base = record or started_record(self.run.config, self.run.entry.label, self.run.entry.overrides, 1)
            cause = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
            write(
                self.run.directory, base.with_(status="failed", error=f"the process ended with {cause}", finished=now())
            )


def launch(
    runs: Sequence[Planned], jobs: int, watch: Callable[[Sequence[Job]], None], tell: Callable[[str], None]
) -> None:
    """Start every run, at most `jobs` at a time; `watch` sees the running ones several times a second.

    A run that another process has done, or is doing, is left to it; `tell` hears why one could not be started.
    Whatever ends this (Ctrl-C, a signal) first ends the running ones, which write their records.
    """
    waiting = list(runs)
    running: list[Job] = []
    nursery = nursery_for(waiting)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                try:
                    if not run.is_done():
                        running.append(Job(run, min(jobs, len(runs)), nursery))
                except UserError as error:
                    tell(str(error))
            time.sleep(0.2)
            for job in [job for job in running if job.finished()]:
                running.remove(job)
                job.settle()
            watch(running)
    finally:
        _end(running)
        if nursery is not None:
            nursery.close()


def nursery_for(runs: Sequence[Planned]) -> Nursery | None:
    """For several runs, each of one process on the CPU: a process that has used an accelerator must not be copied."""
    if len(runs) < 2 or not Nursery.possible():
        return None
    if any(several_processes(run.config) or run.config["trainer"]["accelerator"] != "cpu" for run in runs):
        return None
    modules = dict.fromkeys(MODULES)
    for run in runs:
        targets = (run.config[part].get("_target_") or "" for part in ("data", "task", "model"))
        modules |= dict.fromkeys(path.rpartition(".")[0] for path in targets if path.startswith("lightning_seq."))
        if run.config["logger"]["kind"] == "wandb":
            modules["wandb"] = None
    return Nursery(list(modules))


def _end(running: Sequence[Job]) -> None:
    for job in running:
        job.tell(signal.SIGTERM)
    begun = time.monotonic()
    for job in running:
        deadline = begun + (GRACE_SEVERAL if several_processes(job.run.config) else GRACE)
        with suppress(subprocess.TimeoutExpired):
            job.process.wait(max(0.1, deadline - time.monotonic()))
        if not job.finished():
            job.tell(signal.SIGKILL)
            job.process.wait()
        job.settle()


def run_inline(run: Planned, jobs: int = 1) -> None:
    """In this process. Raises what ended the run."""
    lay_out(run)
    execute(run.directory, run.entry.label, run.entry.overrides, jobs)
