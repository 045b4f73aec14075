"""A comparison that several commands work on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.launch import job as contract
from lightning_seq.launch import launch as launching
from lightning_seq.launch.job import Job, RunLock, RunLockedError, at_work, end, finalize_record, run_as_rank
from lightning_seq.launch.launch import launch, launcher_for
from lightning_seq.records.record import Record, read, write
from lightning_seq.training.directory import run_lock, write_config
from lightning_seq.training.planned import Planned
from tests.runs import environment
from tests.stand_in import runs_of, times, use

COMMAND = """
import sys
from pathlib import Path
from lightning_seq.launch.launch import launch
from tests.stand_in import runs_of, use_alone

use_alone(0.1)
runs = runs_of(Path(sys.argv[1]), ["a", "b", "c"], range(1, 6))
print("ready", flush=True)
sys.stdin.readline()
launch(runs, 2, lambda running: None, lambda line: print(line), poll=0.02)
print(sum(run.is_done() for run in runs), "done")
"""


def test_two_commands_at_once_do_each_run_once(tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(tmp_path)], env=environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    ended = []
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        ended.append(out.splitlines()[-1])
    assert ended == ["15 done", "15 done"]
    runs = runs_of(tmp_path, ["a", "b", "c"], range(1, 6))
    assert [len(times(run)) for run in runs] == [1] * 15


def test_what_another_process_leaves_unfinished_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that it fails or is told to end is left as it is."""
    monkeypatch.setattr("lightning_seq.launch.launch.LOOK_AGAIN", 0.1)
    monkeypatch.setattr("lightning_seq.launch.job.MOMENT", 0.02)
    use(monkeypatch)
    killed, failed = runs_of(tmp_path, ["killed", "failed"], [1])
    claims = [RunLock(run.directory) for run in (killed, failed)]

    def other() -> None:
        time.sleep(0.5)
        write(killed.directory, Record("running", "x", "killed", 1))
        write(failed.directory, Record("failed", "x", "failed", 1, error="too small"))
        for claim in claims:
            claim.release()

    said: list[str] = []
    thread = threading.Thread(target=other)
    thread.start()
    launch([killed, failed], 1, lambda running: None, said.append, poll=0.02)
    thread.join()
    assert (len(times(killed)), len(times(failed))) == (1, 0)
    assert len(said) == 2
    assert "is being run by another process" in said[0]


def test_a_claim_and_a_lock_both_keep_others_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_seq.launch.job.MOMENT", 0.02)
    assert not at_work(tmp_path)
    with RunLock(tmp_path):
        assert at_work(tmp_path)
        with pytest.raises(RunLockedError):
            RunLock(tmp_path)
    with run_lock(tmp_path), pytest.raises(RunLockedError):
        RunLock(tmp_path)
    assert not at_work(tmp_path)


def test_a_launcher_that_is_none(tmp_path: Path) -> None:
    (run,) = runs_of(tmp_path, ["a"], [1])
    run.entry.config["launcher"]["kind"] = "lokal"
    with pytest.raises(UserError, match="did you mean local"):
        launcher_for([run])


class FakeJob:
    """Ends after so many looks, or at a signal that it obeys."""

    def __init__(
        self, run: Planned, looks: float = 2, obeys: tuple[int, ...] = (signal.SIGTERM, signal.SIGKILL)
    ) -> None:
        self.run, self.started, self.looks, self.obeys = run, time.monotonic(), looks, obeys
        self.told: list[int] = []
        self.finalized = False

    def finished(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def send_signal(self, number: int) -> None:
        self.told.append(number)
        if number in self.obeys:
            self.looks = 0

    def finalize(self) -> None:
        assert self.looks <= 0
        self.finalized = True
        if not self.told:
            write(self.run.directory, Record("done", "x", self.run.entry.label, self.run.seed))


class FakeLauncher:
    """begin: what becomes of a run that is to be started."""

    def __init__(self, queues: bool = False, begin: Callable[[Planned], FakeJob] = FakeJob) -> None:
        self.queues, self.begin = queues, begin
        self.given: list[list[str]] = []
        self.jobs: list[FakeJob] = []
        self.closed = False

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        self.given.append([run.title for run in runs])
        self.jobs += [self.begin(run) for run in runs]
        return list(self.jobs[-len(runs) :])

    def close(self) -> None:
        self.closed = True

    def use(self, monkeypatch: pytest.MonkeyPatch) -> FakeLauncher:
        monkeypatch.setattr(launching, "launcher_for", lambda runs: self)
        monkeypatch.setattr(launching, "LOOK_AGAIN", 0.05)
        monkeypatch.setattr(contract, "MOMENT", 0.02)
        return self


def test_no_more_than_so_many_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher, seen = FakeLauncher().use(monkeypatch), list[int]()
    runs = runs_of(tmp_path, ["a", "b"], [1, 2, 3])
    launch(runs, 2, lambda running: seen.append(len(running)), print, poll=0)
    assert max(seen) == 2
    assert launcher.given == [[run.title] for run in runs]
    assert launcher.closed


def test_a_queue_takes_at_once_all_that_are_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = FakeLauncher(queues=True).use(monkeypatch)
    runs = runs_of(tmp_path, ["a"], [1, 2, 3])
    write(runs[1].directory, Record("done", "x", "a", 2))
    launch(runs, 1, lambda running: None, print, poll=0)
    assert launcher.given == [["a-seed1", "a-seed3"]]


def test_one_that_cannot_start_is_told_of_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals: list[UserError] = [RunLockedError("at work"), RunLockedError("at work"), UserError("no room")]

    def begin(run: Planned) -> FakeJob:
        if run.title == "a-seed1" and refusals:
            raise refusals.pop(0)
        return FakeJob(run)

    launcher, said = FakeLauncher(begin=begin).use(monkeypatch), list[str]()
    runs = runs_of(tmp_path, ["a", "b"], [1])
    launch(runs, 1, lambda running: None, said.append, poll=0.01)
    assert said == ["at work", "no room"]  # not once for each look
    assert launcher.given == [["a-seed1"], ["b-seed1"], ["a-seed1"], ["a-seed1"]]
    assert [run.is_done() for run in runs] == [False, True]


def test_a_run_that_another_command_took_first_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeLauncher().use(monkeypatch)
    (run,) = runs_of(tmp_path, ["a"], [1])
    run.directory.mkdir(parents=True)
    theirs = run_lock(run.directory)
    theirs.__enter__()
    looks = 0

    def watch(running: Sequence[Job]) -> None:
        nonlocal looks
        looks += 1
        if looks == 20:
            theirs.__exit__(None, None, None)

    launch([run], 1, watch, print, poll=0.01)
    assert looks >= 20


def test_whatever_ends_it_ends_the_running_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = FakeLauncher(begin=lambda run: FakeJob(run, looks=float("inf"))).use(monkeypatch)

    def watch(running: Sequence[Job]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(runs_of(tmp_path, ["a", "b"], [1]), 2, watch, print, poll=0)
    assert [(job.told, job.finalized) for job in launcher.jobs] == [([signal.SIGTERM], True)] * 2
    assert launcher.closed


def test_one_that_does_not_obey_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "GRACE", 0.1)
    (run,) = runs_of(tmp_path, ["a"], [1])
    job = FakeJob(run, looks=float("inf"), obeys=(signal.SIGKILL,))
    end([job])
    assert (job.told, job.finalized) == ([signal.SIGTERM, signal.SIGKILL], True)


def test_the_record_of_one_that_others_have_taken_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "DYING", 0.1)
    (run,) = runs_of(tmp_path, ["a"], [1])
    write(run.directory, Record("running", "x", "a", 1))
    with run_lock(run.directory):
        finalize_record(run, -signal.SIGKILL)
    assert read(run.directory).status == "running"
    finalize_record(run, -signal.SIGKILL)
    assert (read(run.directory).status, read(run.directory).error) == ("failed", "the process ended with SIGKILL")


def test_a_rank_waits_for_the_configuration_of_this_very_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = runs_of(tmp_path, ["a"], [1])
    run.directory.mkdir(parents=True)
    write_config(run.directory, {**run.config, "seed": 7})  # of an earlier attempt
    monkeypatch.setenv("RANK", "1")
    began: list[object] = []
    monkeypatch.setattr(contract, "execute", lambda *words: began.append(words))
    with pytest.raises(UserError, match=r"rank 1: rank 0 has not written .* a file system that all nodes share"):
        run_as_rank(run, patience=0.1)
    assert began == []
    later = threading.Timer(0.3, lambda: write_config(run.directory, run.config))
    later.start()
    run_as_rank(run, patience=20)
    assert not later.is_alive()
    assert began == [(run.directory, "a", run.entry.overrides)]
