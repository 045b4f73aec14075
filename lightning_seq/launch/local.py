"""Runs on this machine, packed onto its cores or its GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from lightning_seq.config.tree import Config
from lightning_seq.files import open_inside
from lightning_seq.launch.fork_server import Child, ForkServer
from lightning_seq.launch.job import Job, RunLock, RunLockedError, end, finalize_record
from lightning_seq.launch.ranks import end_with_parent
from lightning_seq.own_modules import python
from lightning_seq.training.devices import processes_on_node, several_processes
from lightning_seq.training.directory import LOG, prepare_directory
from lightning_seq.training.planned import Planned
from lightning_seq.training.run_record import now
from lightning_seq.training.threads import threads_per_job, wait_without_spinning

VISIBLE = "CUDA_VISIBLE_DEVICES"
MODULES = (
    "lightning_seq.training.run", "lightning_seq.builders.build", "lightning_seq.training.trainer",
    "lightning_seq.training.loggers.fail_safe", "lightning_seq.training.environment",
)  # fmt: skip
"""Modules that every run imports."""


def visible_devices(environment: Mapping[str, str]) -> list[str]:
    """The GPUs this process may use, by the names that `CUDA_VISIBLE_DEVICES` takes."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def devices_of(config: Config) -> int | None:
    """The number of GPUs that a run takes; None if it takes none, all, or a list of them."""
    trainer = config["trainer"]
    if trainer["accelerator"] not in ("gpu", "cuda", "auto") or not str(trainer["devices"]).isdecimal():
        return None
    return int(trainer["devices"])


class GpuPool:
    """Spreads runs evenly over devices; with more runs than devices, a device has several."""

    def __init__(self, names: Sequence[str]) -> None:
        self.runs = dict.fromkeys(names, 0)

    def acquire(self, count: int) -> tuple[str, ...]:
        """The `count` devices with the fewest runs, in the pool's order; all devices if there are fewer."""
        acquired = tuple(sorted(self.runs, key=self.runs.__getitem__)[:count])
        for name in acquired:
            self.runs[name] += 1
        return tuple(name for name in self.runs if name in acquired)

    def release(self, names: Sequence[str]) -> None:
        for name in names:
            self.runs[name] -= 1


def command(run: Planned) -> list[str]:
    """The command of a run's process, or of the process that starts and ends its ranks."""
    if not several_processes(run.config):
        return python("-m", "lightning_seq.training.run", str(run.directory))
    count = processes_on_node(run.config) or len(visible_devices(os.environ))
    return python("-m", "lightning_seq.launch.ranks", str(run.directory), str(count))


def environment_of(run: Planned, jobs: int, devices: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a run's process: threads, its devices, and values for its record."""
    threads, environment = str(threads_per_job(run.config)), dict(os.environ)
    wait_without_spinning(environment)
    values = {"label": run.entry.label, "overrides": run.entry.overrides, "jobs": jobs, "started": now()}
    environment |= {"LIGHTNING_SEQ_RUN": json.dumps(values), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return environment | ({VISIBLE: ",".join(devices)} if devices else {})


class LocalJob:
    """A run's process, with its output in the run's `log.txt`.

    server: copies itself for the run.
    pool:   gives the run its devices.
    alone:  whether a run of one process continues when the process that started it is killed; ranks never do, a copy of
            the server always does.

    Raises `RunLockedError` if another process works on the run, UserError if it cannot be started.
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
            if run.is_done():  # by the process that has just released the lock
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
        with open(directory / LOG, "ab", opener=open_inside) as log:
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
    on_cpu = (run.config["trainer"]["accelerator"] == "cpu" and not several_processes(run.config) for run in runs)
    if len(runs) < 2 or not ForkServer.possible() or not all(on_cpu):
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

    began: called with the job. The process ends with this one in every case (Linux). Nothing happens if the run is done
    or another process works on it.
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
    if job.process is None:
        return 0
    return 1 if job.process.returncode is None else job.process.returncode
