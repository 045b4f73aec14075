"""The contract of a launcher and of its jobs."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from lightning_seq.errors import UserError
from lightning_seq.launch.ranks import BY_SIGNAL, cause_of
from lightning_seq.records.record import write
from lightning_seq.training.devices import several_processes
from lightning_seq.training.directory import is_running, prepare_directory, read_config
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.run_record import now, rank, started_record

CLAIM = ".claim"

GRACE, GRACE_SEVERAL = 15.0, 45.0
"""Seconds that a run of one process, or of several, has to write its record after SIGTERM."""

DYING = 5.0
"""Seconds to wait for the last processes of a run after the process that started them."""

MOMENT = 0.5
"""Seconds to wait for a lock: others hold it for an instant, to see whether it is free."""


class RunLockedError(UserError):
    """Another process is working on the run, or is about to."""


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
        """Raises `RunLockedError` for a run that another process is working on, UserError for one that cannot start."""

    def close(self) -> None: ...


class RunLock:
    """Lets one launcher alone work on a run, from before its directory is prepared until its record is final.

    The file system releases it when the process that holds it dies. Raises `RunLockedError` when another one holds it.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / CLAIM, timeout=MOMENT, thread_local=False)
            self._lock.acquire()
        except Timeout:
            raise RunLockedError(f"{directory} is being run by another process: wait for it") from None
        except OSError as error:
            raise UserError(
                f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
            ) from error
        if is_running(directory):
            self.release()
            raise RunLockedError(f"{directory} is being run by another process: wait for it")

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def at_work(directory: Path) -> bool:
    """Whether a process is working on the run, or is about to."""
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
        deadline = begun + (GRACE_SEVERAL if several_processes(job.run.config) else GRACE)
        while not job.finished() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not job.finished():
            job.send_signal(signal.SIGKILL)
            for _ in range(200):
                if job.finished():
                    break
                time.sleep(0.05)
        job.finalize()


def finalize_record(run: Planned, code: int | None) -> None:
    """Write into the record of a run why its process, or one of its ranks, ended when that process could not.

    code: its exit code, negative for a signal; None where it is unknown.
    """
    directory, begun = run.directory, time.monotonic()
    while is_running(directory):  # a process that the kernel is ending holds its lock for a moment more
        if time.monotonic() - begun > DYING:
            return  # another process took the run between our starting it and its lock
        time.sleep(0.1)
    record = record_of(run)
    cause = cause_of(directory, record) if several_processes(run.config) else None
    # A rank that a signal ended, when the others saw it and ended as one does at a signal: nothing has failed.
    agreed = record is not None and record.status == "interrupted" and bool(cause and BY_SIGNAL.fullmatch(cause))
    if cause and record is not None and record.status != "done" and not agreed:
        write(directory, record.with_(status="failed", error=cause, finished=record.finished or now()))
        return
    if record is None or record.status == "running":
        base = record or started_record(run.config, run.entry.label, run.entry.overrides, 1)
        write(directory, base.with_(status="failed", error=cause or _end_of_process(code), finished=now()))


def _end_of_process(code: int | None) -> str:
    if code is None:
        return "the process ended; its exit code is unknown"
    with suppress(ValueError):
        return f"the process ended with {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"


def run_as_rank(run: Planned, execute: Callable[[], object], patience: float) -> None:
    """In a process that torchrun or SLURM has started as one of several of this run: rank 0 makes the directory ready,
    the others wait for that.

    patience: seconds. Raises UserError when rank 0 has not come so far by then, and what ends the run.
    """
    if rank() == 0:
        with RunLock(run.directory):
            prepare_directory(run.directory, run.config)
            execute()
        return
    begun = time.monotonic()
    while True:
        with suppress(UserError):
            if read_config(run.directory) == run.config:
                break
        if time.monotonic() - begun > patience:
            raise UserError(
                f"rank {rank()}: rank 0 has not written {run.directory} in {patience:.0f} seconds: is runs=DIR on a "
                "file system that all nodes share?"
            )
        time.sleep(0.2)
    execute()
