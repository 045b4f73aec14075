"""Runs on this machine: one process each, dealt out over devices, started by whoever claims them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from filelock import FileLock

from lightning_seq.config.compose import compose
from lightning_seq.config.entry import Entry
from lightning_seq.launch.job import CLAIM
from lightning_seq.launch.launch import launch
from lightning_seq.launch.local import GpuPool, LocalJob, carry_out, command, visible_devices
from lightning_seq.records.record import read
from lightning_seq.training.planned import Planned
from tests.runs import environment
from tests.stand_in import runs_of, times, use


def start_all(runs: list[Planned], jobs: int, poll: float = 0.02) -> list[str]:
    said: list[str] = []
    launch(runs, jobs, lambda running: None, said.append, poll=poll)
    return said


def test_devices_are_dealt_in_turn_and_freed_ones_first() -> None:
    pool = GpuPool(["0", "1", "2"])
    first = [pool.acquire(1) for _ in range(4)]
    assert first == [("0",), ("1",), ("2",), ("0",)]
    pool.release(("2",))
    assert pool.acquire(1) == ("2",)
    assert pool.acquire(2) == ("1", "2")
    assert pool.acquire(5) == ("0", "1", "2")


def test_visible_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert visible_devices({}) == ["0", "1", "2"]
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "4, GPU-12ab"}) == ["4", "GPU-12ab"]
    assert visible_devices({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_runs_are_packed_onto_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    use(monkeypatch, 0.3)
    runs = runs_of(tmp_path, ["a", "b", "c"], [1, 2], "trainer=gpu", "jobs=6")
    assert start_all(runs, 6) == []
    assert Counter(seen for run in runs for seen in times(run)) == {"0": 3, "1": 3}
    use(monkeypatch)
    both = runs_of(tmp_path, ["both"], [1], "trainer=gpu", "trainer.devices=2")
    named = runs_of(tmp_path, ["named"], [1], "trainer=gpu", "trainer.devices=[1]")
    start_all([*both, *named], 1)
    assert (times(both[0]), times(named[0])) == (["0,1"], ["none"])


def test_a_run_on_the_cpu_keeps_what_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    use(monkeypatch)
    runs = runs_of(tmp_path, ["a"], [1])
    start_all(runs, 1)
    assert times(runs[0]) == ["7"]


def test_the_processes_of_one_run() -> None:
    words = ["data=verses_genre", "model=rnn", "name=x", "trainer=ddp", "trainer.accelerator=cpu"]
    for given, count in (("2", "2"), ("[0,1,2]", "3")):
        config = compose([*words, f"trainer.devices={given}"])
        assert command(Planned(Entry("a", [], config), 1))[-2:] == ["runs/x/a-seed1", count]


def test_each_run_is_done_once_and_a_dead_process_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    runs = runs_of(tmp_path, ["a", "b"], [1, 2])
    (runs[0].directory / "times").parent.mkdir(parents=True)
    start_all(runs, 2)
    start_all(runs, 2)
    assert [len(times(run)) for run in runs] == [1, 1, 1, 1]
    from lightning_seq.launch import local

    monkeypatch.setattr(local, "command", lambda run: ["sh", "-c", "kill -9 $$"])
    (lost,) = runs_of(tmp_path, ["lost"], [1])
    start_all([lost], 1)
    record = read(lost.directory)
    assert (record.status, record.error) == ("failed", "the process ended with SIGKILL")


def test_a_claim_is_given_back_when_a_run_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_seq.launch import local

    monkeypatch.setattr(local, "command", lambda run: [str(tmp_path / "no such program")])
    (run,) = runs_of(tmp_path, ["a"], [1])
    pool = GpuPool(["0"])
    with pytest.raises(OSError, match="no such program"):
        LocalJob(run, 1, pool=pool)
    FileLock(run.directory / CLAIM, timeout=0).acquire().lock.release()
    assert pool.runs == {"0": 0}


def test_the_memory_of_the_launcher_is_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    monkeypatch.setattr("tests.stand_in.PROGRAM", "")
    from lightning_seq.launch import local

    monkeypatch.setattr(local, "command", lambda run: ["true"])
    config = compose(["data=verses_genre", "model=rnn", "name=x", f"runs={tmp_path}"])
    entry, process = Entry("a", [], config), psutil.Process(os.getpid())
    sizes, handles = [], []
    for first in (1, 61, 121):
        start_all([Planned(entry, seed) for seed in range(first, first + 60)], 8)
        sizes.append(process.memory_info().rss)
        handles.append(process.num_fds())
    assert handles[2] == handles[0]
    assert sizes[2] - sizes[1] < 3e6


def test_a_signal_reaches_all_processes_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_seq.launch import local

    child = tmp_path / "child"
    text = f"sleep 60 & echo $! > {child}.part; mv {child}.part {child}; wait"
    monkeypatch.setattr(local, "command", lambda run: ["sh", "-c", text])
    (run,) = runs_of(tmp_path, ["a"], [1])
    job = LocalJob(run, 1)
    assert job.process is not None
    pids = [job.process.pid, wait_for(child)]
    job.send_signal(signal.SIGTERM)
    for pid in pids:
        assert is_gone(pid)
    assert job.finished()
    job.finalize()


def test_where_the_fork_server_was_killed_a_run_is_started_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead:
        def start(self, *_: Any) -> None:
            raise OSError("the process that runs are copied from has ended")

    use(monkeypatch)
    (run,) = runs_of(tmp_path, ["a"], [1])
    job = LocalJob(run, 1, Dead())  # type: ignore[arg-type]
    assert job.process is not None
    job.process.wait()
    job.finalize()
    assert run.is_done()


CARRIER = """
import sys, time
from pathlib import Path
from lightning_seq.launch.local import carry_out
from tests.stand_in import runs_of, use_alone

use_alone(60)
place = Path(sys.argv[1])
def began(job):
    (place / "part").write_text(str(job.process.pid))
    (place / "part").rename(place / "child")
carry_out(*runs_of(place, ["a"], [1]), began)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a process with its parent")
def test_what_is_carried_out_ends_with_what_carries_it_out(tmp_path: Path) -> None:
    carrier = subprocess.Popen([sys.executable, "-c", CARRIER, str(tmp_path)], env=environment())
    child = wait_for(tmp_path / "child")
    carrier.kill()
    carrier.wait()
    assert is_gone(child)


LAUNCHER = """
import sys, time
from pathlib import Path
from lightning_seq.launch import local
from lightning_seq.launch.local import LocalJob
from tests.stand_in import runs_of, use_alone

use_alone()
RANK = "import os, sys, time; open(sys.argv[1] + '/' + os.environ['RANK'], 'w').write(str(os.getpid())); time.sleep(60)"
place = Path(sys.argv[1])
program = (
    "import sys; from pathlib import Path; from lightning_seq.launch.ranks import Ranks\\n"
    f"Ranks([sys.executable, '-S', '-c', {RANK!r}, {str(place)!r}], 2, Path({str(place)!r})).run(1)"
)
local.command = lambda run: [sys.executable, "-c", program]
job = LocalJob(*runs_of(place / "runs", ["a"], [1], "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"), 1)
time.sleep(60)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a process with its parent")
def test_ranks_end_with_the_command_that_launched_them(tmp_path: Path) -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path)], env=environment())
    files = [tmp_path / str(rank) for rank in range(2)]
    for file in files:
        wait_for(file)
    time.sleep(0.1)
    launcher.kill()
    launcher.wait()
    assert [is_gone(int(file.read_text())) for file in files] == [True, True]


def test_what_is_carried_out_is_ended_by_whatever_ends_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 60)
    (run,) = runs_of(tmp_path, ["a"], [1])
    began: list[LocalJob] = []
    monkeypatch.setattr(LocalJob, "finished", interrupted_once(LocalJob.finished))
    with pytest.raises(KeyboardInterrupt):
        carry_out(run, began.append)
    assert began[0].process is not None
    assert is_gone(began[0].process.pid)
    assert read(run.directory).error == "the process ended with SIGTERM"


def interrupted_once(finished: Any) -> Any:
    left = [KeyboardInterrupt()]

    def ask(job: LocalJob) -> bool:
        if left:
            raise left.pop()
        return bool(finished(job))

    return ask


def wait_for(file: Path) -> int:
    begun = time.monotonic()
    while not file.exists():
        assert time.monotonic() - begun < 60
        time.sleep(0.02)
    return int(file.read_text())


def is_gone(pid: int) -> bool:
    """In a moment, or never: then it is killed."""
    for _ in range(250):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False
