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
from lightning_seq.training.directory import is_running, lay_out, read_config
from lightning_seq.training.environment import several_processes
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.run_record import now, rank, started_record

CLAIM = ".claim"

GRACE, GRACE_SEVERAL = 15.0, 45.0
"""Seconds a run, or one of several processes, has to write its record after it was told to end."""

DYING = 5.0
"""Seconds that the last processes of a run have to be gone when the one that started them is."""

MOMENT = 0.5
"""Seconds to wait for a claim: others take it for an instant, to see whether it is free."""


class ClaimedError(UserError):
    """Another process is at work on the run, or about to be."""


class Job(Protocol):
    """A run that was started, or put into a queue."""

    run: Planned
    started: float
    """On this process's monotonic clock."""

    def finished(self) -> bool: ...

    def tell(self, number: int) -> None:
        """Send it a signal, where it still runs."""

    def settle(self) -> None:
        """When it has finished: where it could not itself, write into the record what ended it."""


class Launcher(Protocol):
    """queues: whether it takes all runs at once, and keeps to `jobs` at a time itself."""

    queues: bool

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        """Raises `ClaimedError` for a run that another process is at work on, UserError where one cannot be started."""

    def close(self) -> None: ...


class Claim:
    """The right to start a run, from before its directory is laid out until its end is in its record.

    The file system gives it back where the process that holds it dies. Raises `ClaimedError` when another one has it.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / CLAIM, timeout=MOMENT, thread_local=False)
            self._lock.acquire()
        except Timeout:
            raise ClaimedError(f"{directory} is being run by another process: wait for it") from None
        except OSError as error:
            raise UserError(
                f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
            ) from error
        if is_running(directory):
            self.give_back()
            raise ClaimedError(f"{directory} is being run by another process: wait for it")

    def give_back(self) -> None:
        self._lock.release()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()


def at_work(directory: Path) -> bool:
    """Whether a process is at work on the run, or about to be."""
    try:
        Claim(directory).give_back()
    except ClaimedError:
        return True
    return False


def end(running: Sequence[Job]) -> None:
    """Tell jobs to end, and see to it that they do."""
    for job in running:
        job.tell(signal.SIGTERM)
    begun = time.monotonic()
    for job in running:
        deadline = begun + (GRACE_SEVERAL if several_processes(job.run.config) else GRACE)
        while not job.finished() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not job.finished():
            job.tell(signal.SIGKILL)
            for _ in range(200):
                if job.finished():
                    break
                time.sleep(0.05)
        job.settle()


def settle(run: Planned, code: int | None) -> None:
    """Where a run's process, or a rank of it, died without a word, say so in its record.

    code: its exit code, negative for a signal; None where it is not known.
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
        how = "in a way that nobody saw" if code is None else f"exit code {code}"
        with suppress(ValueError):
            how = signal.Signals(-code).name if code and code < 0 else how
        write(directory, base.with_(status="failed", error=cause or f"the process ended with {how}", finished=now()))


def run_as_rank(run: Planned, execute: Callable[[], object], patience: float) -> None:
    """In a process that torchrun or SLURM has started as one of several of this run: rank 0 makes the directory ready,
    the others wait for that.

    patience: seconds. Raises UserError when rank 0 has not come so far by then, and what ends the run.
    """
    if rank() == 0:
        with Claim(run.directory):
            lay_out(run.directory, run.config)
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
