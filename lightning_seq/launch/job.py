"""The contract of a launcher and of its jobs."""

from __future__ import annotations

import importlib
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import ModuleType
from typing import Generic, Protocol, TypeVar

from filelock import FileLock, Timeout

from lightning_seq.errors import UserError, install
from lightning_seq.launch.ranks import BY_SIGNAL, cause_of
from lightning_seq.records.record import write
from lightning_seq.training.devices import several_processes
from lightning_seq.training.directory import is_running, prepare_directory, read_config
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.run import execute
from lightning_seq.training.run_record import now, rank, started_record

CLAIM = ".claim"

GRACE, GRACE_SEVERAL = 15.0, 45.0
"""Seconds that a run of one process, or of several, has to write its record after SIGTERM."""
DYING = 5.0
"""Seconds to wait for the last processes of a run after the process that started them."""
MOMENT = 0.5
"""Seconds to wait for a lock: others hold it for an instant, to see whether it is free."""
PATIENCE = 300.0
"""Seconds between the starts of the first and the last process of a run over several nodes."""

H = TypeVar("H")


class RunLockedError(UserError):
    """Another process works on the run, or is about to."""


class Job(Protocol):
    """A run that was started, or queued."""

    run: Planned
    started: float
    """On this process's monotonic clock."""

    def finished(self) -> bool: ...

    def send_signal(self, number: int) -> None:
        """Send the job a signal if it still runs."""

    def finalize(self) -> None:
        """Called after the job has finished: completes its record if the job itself could not."""


class Launcher(Protocol):
    """queues: whether the launcher takes all runs at once, and limits itself to `jobs` at a time."""

    queues: bool

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        """Raises `RunLockedError` for a run that another process works on, UserError for one that cannot start."""

    def close(self) -> None: ...


class ClusterJob(ABC, Generic[H]):
    """A job of another system. handle: the system's object for it."""

    def __init__(self, run: Planned, handle: H) -> None:
        self.run, self.handle, self.started, self._cancelled = run, handle, time.monotonic(), False

    @abstractmethod
    def cancel(self, again: bool) -> None:
        """again: whether it was cancelled before. May raise any exception."""

    def send_signal(self, number: int) -> None:
        if not self._cancelled or number == signal.SIGKILL:
            with suppress(Exception):
                self.cancel(self._cancelled)
            self._cancelled = True


def package(name: str, extra: str) -> ModuleType:
    """The package of a launcher. Raises UserError, with the extra to install, if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"launcher={name} needs {name}, which is not installed: {install(extra)}") from None


class RunLock(AbstractContextManager["RunLock"]):
    """Lets one launcher alone work on a run, from before its directory is prepared until its record is final.

    The file system releases it when the process that holds it dies. Raises `RunLockedError` if another one holds it.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / CLAIM, timeout=MOMENT, thread_local=False)
            self._lock.acquire()
            if is_running(directory):
                self.release()
                raise Timeout(str(directory))
        except Timeout:
            raise RunLockedError(f"{directory} is being run by another process: wait for it") from None
        except OSError as error:
            raise UserError(
                f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
            ) from error

    def release(self) -> None:
        self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()


def at_work(directory: Path) -> bool:
    """Whether a process works on the run, or is about to."""
    try:
        RunLock(directory).release()
    except RunLockedError:
        return True
    return False


def end(running: Sequence[Job]) -> None:
    """End jobs with SIGTERM, and after a grace period with SIGKILL."""
    for job in running:
        job.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    for job in running:
        _wait(job, begun + (GRACE_SEVERAL if several_processes(job.run.config) else GRACE))
        if not job.finished():
            job.send_signal(signal.SIGKILL)
            _wait(job, time.monotonic() + 10)
        job.finalize()


def _wait(job: Job, deadline: float) -> None:
    while not job.finished() and time.monotonic() < deadline:
        time.sleep(0.05)


def finalize_record(run: Planned, code: int | None) -> None:
    """Write into the record of a run why its process, or one of its ranks, ended, if that process could not.

    code: its exit code, negative for a signal; None if it is unknown.
    """
    directory, begun = run.directory, time.monotonic()
    while is_running(directory):  # a process that the kernel ends keeps its lock for a moment
        if time.monotonic() - begun > DYING:
            return  # another process took the run between our start and its lock
        time.sleep(0.1)
    record = record_of(run)
    cause = cause_of(directory, record) if several_processes(run.config) else None
    status = record.status if record is not None else "running"
    # Nothing has failed if a signal ended a rank and the others saw it and ended as at a signal.
    agreed = status == "interrupted" and BY_SIGNAL.fullmatch(cause or "")
    if record is not None and cause and status != "done" and not agreed:
        write(directory, record.with_(status="failed", error=cause, finished=record.finished or now()))
    elif status == "running":
        base = record or started_record(run.config, run.entry.label, run.entry.overrides, 1)
        write(directory, base.with_(status="failed", error=cause or _end_of_process(code), finished=now()))


def _end_of_process(code: int | None) -> str:
    if code is None:
        return "the process ended; its exit code is unknown"
    with suppress(ValueError):
        return f"the process ended with {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"


def run_as_rank(run: Planned, patience: float = PATIENCE) -> None:
    """Execute a run in one of its processes, which torchrun, SLURM or Ray has started: rank 0 prepares the directory,
    the others wait.

    patience: seconds. Raises UserError if rank 0 takes longer, and the error that ends the run.
    """
    words = run.directory, run.entry.label, run.entry.overrides
    if rank() == 0:
        with RunLock(run.directory):
            prepare_directory(run.directory, run.config)
            execute(*words)
        return
    deadline = time.monotonic() + patience
    while True:
        with suppress(UserError):
            if read_config(run.directory) == run.config:
                break
        if time.monotonic() > deadline:
            raise UserError(
                f"rank {rank()}: rank 0 has not written {run.directory} in {patience:.0f} seconds: is runs=DIR on a "
                "file system that all nodes share?"
            )
        time.sleep(0.2)
    execute(*words)
