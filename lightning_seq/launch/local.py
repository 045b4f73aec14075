"""Runs on this machine, packed onto its cores or its GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from lightning_seq.config.tree import Config
from lightning_seq.launch.fork_server import Child, ForkServer
from lightning_seq.launch.job import Job, RunLock, RunLockedError, end, finalize_record
from lightning_seq.launch.ranks import end_with_parent
from lightning_seq.training.devices import several_processes
from lightning_seq.training.directory import LOG, prepare_directory
from lightning_seq.training.planned import Planned
from lightning_seq.training.run_record import now
from lightning_seq.training.threads import threads_per_job, wait_without_spinning

VISIBLE = "CUDA_VISIBLE_DEVICES"

MODULES = tuple(
    f"lightning_seq.{name}"
    for name in (
        "training.run",
        "builders.build",
        "training.trainer",
        "training.loggers.choice",
        "training.environment",
    )
)
"""What every run imports."""


def visible_devices(environment: Mapping[str, str]) -> list[str]:
    """The GPUs this process may use, by the names that `CUDA_VISIBLE_DEVICES` takes."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def devices_of(config: Config) -> int | None:
    """How many GPUs a run takes; None where it takes none, all, or those it names."""
    trainer = config["trainer"]
    if trainer["accelerator"] not in ("gpu", "cuda", "auto") or not str(trainer["devices"]).isdecimal():
        return None
    return int(trainer["devices"])


class GpuPool:
    """Gives devices to runs, so that all have equally many: several each when there are more runs than devices."""

    def __init__(self, names: Sequence[str]) -> None:
        self.held = dict.fromkeys(names, 0)

    def acquire(self, count: int) -> tuple[str, ...]:
        """The `count` devices with the fewest runs, in their order; all of them if there are fewer."""
        acquired = tuple(sorted(self.held, key=self.held.__getitem__)[:count])
        for name in acquired:
            self.held[name] += 1
        return tuple(name for name in self.held if name in acquired)

    def release(self, names: Sequence[str]) -> None:
        for name in names:
            self.held[name] -= 1


def command(run: Planned) -> list[str]:
    """The command of a run's process, or of the process that starts and ends its ranks."""
    if not several_processes(run.config):
        return [sys.executable, "-m", "lightning_seq.training.run", str(run.directory)]
    devices = run.config["trainer"]["devices"]
    count = len(devices) if isinstance(devices, list) else int(devices)
    if count < 1:
        count = len(visible_devices(os.environ))
    return [sys.executable, "-m", "lightning_seq.launch.ranks", str(run.directory), str(count)]


def environment_of(run: Planned, jobs: int, devices: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a run's process: threads, its devices, and values for its record."""
    threads, waiting = str(threads_per_job(run.config)), dict(os.environ)
    wait_without_spinning(waiting)
    given = {"label": run.entry.label, "overrides": run.entry.overrides, "jobs": jobs, "started": now()}
    return {
        **waiting,
        "LIGHTNING_SEQ_RUN": json.dumps(given),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        **({VISIBLE: ",".join(devices)} if devices else {}),
    }


class LocalJob:
    """A run's process, its output in the run's `log.txt`; copied from a server where there is one.

    pool:  of the devices that it takes its own from.
    alone: whether a run of one process continues where the process that started it is killed; ranks never do, and
           what is copied from a server always does.

    Raises `RunLockedError` when another process is working on the run, UserError when it cannot be started.
    """

    def __init__(
        self, run: Planned, jobs: int, server: ForkServer | None = None, pool: GpuPool | None = None, alone: bool = True
    ) -> None:
        self.run, self.started = run, time.monotonic()
        self.devices: tuple[str, ...] = ()
        self._pool = pool
        self._lock = RunLock(run.directory)
        self.process: subprocess.Popen[bytes] | Child | None = None
        try:
            if run.is_done():  # by the process that released the lock just now
                return
            prepare_directory(run.directory, run.config)
            count = devices_of(run.config)
            if pool is not None and count is not None:
                self.devices = pool.acquire(count)
            self.process = self._start(environment_of(run, jobs, self.devices), server, alone)
        except BaseException:
            self._release()
            raise

    def _start(
        self, environment: dict[str, str], server: ForkServer | None, alone: bool
    ) -> subprocess.Popen[bytes] | Child:
        directory = self.run.directory
        if server is not None:
            with suppress(OSError):  # the server was killed: start a new process instead
                return server.start([str(directory)], environment, directory / LOG)
        with (directory / LOG).open("ab") as log:
            return subprocess.Popen(
                command(self.run),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                # Ranks end with the command: nothing else would end them.
                preexec_fn=end_with_parent() if not alone or several_processes(self.run.config) else None,
            )

    def _release(self) -> None:
        if self._pool is not None:
            self._pool.release(self.devices)
            self._pool = None
        self._lock.release()

    def finished(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def send_signal(self, number: int) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def finalize(self) -> None:
        if self.process is not None:
            finalize_record(self.run, self.process.returncode)
        self._release()


class LocalLauncher:
    queues = False

    def __init__(self, runs: Sequence[Planned]) -> None:
        self._server = fork_server_for(runs)
        shared = any(devices_of(run.config) is not None for run in runs)
        self._pool = GpuPool(visible_devices(os.environ)) if shared else None

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        return [LocalJob(run, jobs, self._server, self._pool) for run in runs]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


def fork_server_for(runs: Sequence[Planned]) -> ForkServer | None:
    """For several runs, each of one process on the CPU: a process that uses an accelerator must not be copied."""
    if len(runs) < 2 or not ForkServer.possible():
        return None
    if any(several_processes(run.config) or run.config["trainer"]["accelerator"] != "cpu" for run in runs):
        return None
    modules = dict.fromkeys(MODULES)
    for run in runs:
        nodes = [*(run.config[part] for part in ("data", "task", "model")), run.config["data"].get("source")]
        targets = [str(node.get("_target_") or "") for node in nodes if isinstance(node, dict)]
        modules |= dict.fromkeys(path.rpartition(".")[0] for path in targets if path.startswith("lightning_seq."))
        if run.config["logger"]["kind"] == "wandb":
            modules["wandb"] = None
    return ForkServer(list(modules))


def carry_out(run: Planned, began: Callable[[LocalJob], None] = lambda job: None) -> int:
    """Run it in a new process on this machine, for another launcher; return its exit code.

    began: called with the job. The process ends with this one, whatever ends this (Linux). A run that another process
    has done, or is working on, is left to that process.
    """
    if run.is_done():
        return 0
    try:
        job = LocalJob(run, 1, alone=False)
    except RunLockedError:
        return 0
    began(job)
    try:
        while not job.finished():
            time.sleep(0.2)
    finally:
        end([job])
    code = job.process.returncode if job.process is not None else 0
    return code if code is not None else 1
