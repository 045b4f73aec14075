"""Launch runs, each in its own process, on this machine or through another launcher.

A comparison is a directory of records, not a process: several commands, on several machines that share a file system,
may work on it at once. A command holds the lock of each run that it starts until the run has ended; others wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lightning_seq.errors import UserError, near
from lightning_seq.launch.job import Job, Launcher, RunLockedError, at_work, end
from lightning_seq.launch.local import LocalLauncher
from lightning_seq.launch.ray import RayLauncher
from lightning_seq.launch.submitit import SubmititLauncher
from lightning_seq.training.planned import Planned, record_of

LOOK_AGAIN = 2.0
"""Seconds between two looks at runs that other commands work on."""
KINDS = ("local", "inline", "submitit", "ray")


def launcher_for(runs: Sequence[Planned]) -> Launcher:
    """The launcher of the runs' configuration. Raises UserError if its package is not installed."""
    kind = runs[0].config["launcher"]["kind"]
    if kind not in KINDS:
        raise UserError(f"launcher.kind is {kind!r}: {near(str(kind), KINDS)}")
    return SubmititLauncher(runs) if kind == "submitit" else RayLauncher(runs) if kind == "ray" else LocalLauncher(runs)


def launch(
    runs: Sequence[Planned],
    jobs: int,
    watch: Callable[[Sequence[Job]], None],
    notify: Callable[[str], None],
    poll: float = 0.2,
) -> None:
    """Start every run, at most `jobs` at a time; `watch` sees the running ones several times a second.

    A run that another process works on is waited for, and taken over if that process ends before the run is done.
    `notify` gets a message for each of those, and for each run that cannot start. At Ctrl-C, a signal or an error the
    running ones are ended first and write their records.
    """
    waiting, elsewhere, running = list(runs), list[Planned](), list[Job]()
    if not waiting:
        return
    launcher = launcher_for(waiting)
    looked, notified = time.monotonic(), set[str]()
    try:
        while waiting or running or elsewhere:
            while waiting and (launcher.queues or len(running) < jobs):
                batch = waiting if launcher.queues else waiting[:1]
                waiting = waiting[len(batch) :]
                batch = [run for run in batch if not run.is_done()]
                try:
                    running += launcher.start(batch, min(jobs, len(runs))) if batch else []
                except RunLockedError as claimed:
                    elsewhere += batch
                    if batch[0].title not in notified:
                        notified.add(batch[0].title)
                        notify(str(claimed))
                except UserError as error:
                    notify(str(error))
            time.sleep(poll)
            for job in [job for job in running if job.finished()]:
                running.remove(job)
                job.finalize()
                if at_work(job.run.directory):  # another command has locked it
                    elsewhere.append(job.run)
            if time.monotonic() - looked > LOOK_AGAIN:
                elsewhere, looked = [run for run in elsewhere if not _has_ended(run, waiting)], time.monotonic()
            watch(running)
    finally:
        end(running)
        launcher.close()


def _has_ended(run: Planned, waiting: list[Planned]) -> bool:
    """Whether no process works on the run any more; an unfinished run waits again."""
    if at_work(run.directory):
        return False
    record = record_of(run)
    if record is None or record.status == "running":
        waiting.append(run)
    return True
