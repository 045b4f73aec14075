"""The processes of one run: started together, ended together, and the first cause is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from lightning_seq.launch import ranks
from lightning_seq.launch.job import finalize_record
from lightning_seq.launch.ranks import Ranks, cause_of, free_port
from lightning_seq.records.record import Record, read, write
from tests.runs import environment
from tests.stand_in import runs_of

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
place, act = Path(sys.argv[1]), sys.argv[2].split(",")[int(os.environ["RANK"])]
mine = place / f"rank{os.environ['RANK']}"
def keep(number, frame):
    with open(mine, "a") as told:
        told.write(signal.Signals(number).name + " ")
    if act == "obey":
        sys.exit(128 + number)
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, keep)
(place / f"pid{os.environ['RANK']}").write_text(str(os.getpid()))
if act.isdecimal():
    sys.exit(int(act))
if act == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
while True:
    time.sleep(0.02)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "PATIENCE", 0.6)
    monkeypatch.setattr(ranks, "GRACE", 0.6)


def made(place: Path, acts: str) -> Ranks:
    return Ranks([sys.executable, "-S", "-c", PROGRAM, str(place), acts], len(acts.split(",")), place)


def said_by_ranks(place: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in place.glob("error-rank*.txt")}


def wait_for(*files: Path) -> list[int]:
    for _ in range(500):
        if all(file.exists() and file.read_text() for file in files):
            return [int(file.read_text()) for file in files]
        time.sleep(0.02)
    raise AssertionError(f"{files} never came")


@pytest.mark.parametrize(
    ("acts", "code", "said"),
    [
        ("0,0", 0, {}),
        ("0,3", 3, {"error-rank1.txt": "rank 1 ended with exit code 3"}),
        ("2,0", 2, {}),  # rank 0 has its record
        ("obey,kill", 137, {"error-rank1.txt": "rank 1 was ended by SIGKILL"}),
        ("kill,stay", 137, {"error-rank0.txt": "rank 0 was ended by SIGKILL"}),
        ("stay,4,stay", 4, {"error-rank1.txt": "rank 1 ended with exit code 4"}),
        ("stay,143,stay", 143, {"error-rank1.txt": "rank 1 was ended by SIGTERM"}),
    ],
)
def test_one_that_is_lost_ends_all(acts: str, code: int, said: dict[str, str], tmp_path: Path) -> None:
    found = made(tmp_path, acts)
    begun = time.monotonic()
    assert found.run(free_port()) == code
    assert time.monotonic() - begun < 5
    assert said_by_ranks(tmp_path) == said
    assert all(process.poll() is not None for process in found.processes)


@pytest.mark.parametrize("acts", ["obey,obey", "stay,obey"])
def test_a_signal_reaches_each_once(acts: str, tmp_path: Path) -> None:
    found = made(tmp_path, acts)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(found.run(free_port())))
    thread.start()
    wait_for(tmp_path / "pid0", tmp_path / "pid1")
    time.sleep(0.3)
    found.hand_on(signal.SIGUSR1)
    thread.join(10)
    assert codes == [128 + signal.SIGUSR1]
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["SIGUSR1 ", "SIGUSR1 "]
    assert said_by_ranks(tmp_path) == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a process with its parent")
def test_they_end_with_what_started_them(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom lightning_seq.launch.ranks import Ranks\n"
        f"command = [sys.executable, '-S', '-c', {PROGRAM!r}, {str(tmp_path)!r}, 'stay,stay']\n"
        f"Ranks(command, 2, Path({str(tmp_path)!r})).run(1)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], env=environment())
    pids = wait_for(tmp_path / "pid0", tmp_path / "pid1")
    starter.kill()
    starter.wait()
    for _ in range(200):
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            break
        time.sleep(0.02)
    else:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        pytest.fail("they live on")


def test_the_first_cause_is_told_and_not_what_came_of_it(tmp_path: Path) -> None:
    record = Record("failed", "x", "a", 1, error="RuntimeError: Connection closed by peer [127.0.0.1]:4711")
    write(tmp_path, record)
    texts = {
        1: "RuntimeError: gloo: Timed out waiting 10000ms for recv",
        2: "MemoryError: no room",
        3: "ValueError: late",
    }
    for rank, text in texts.items():
        path = tmp_path / f"error-rank{rank}.txt"
        path.write_text(text)
        os.utime(path, (1000 + rank, 1000 + rank))
    assert cause_of(tmp_path, record) == "MemoryError: no room"
    own = record.with_(error="KeyError: 'lstm'")
    os.utime(tmp_path / "record.json", (1000, 1000))
    assert cause_of(tmp_path, own) == "KeyError: 'lstm'"
    for rank in (2, 3):
        (tmp_path / f"error-rank{rank}.txt").unlink()
    assert "closed by peer" in str(cause_of(tmp_path, record))
    assert cause_of(tmp_path / "none", None) is None


@pytest.mark.parametrize(("by", "status"), [("SIGTERM", "interrupted"), ("SIGKILL", "failed")])
def test_a_rank_that_was_told_to_end_has_not_failed(by: str, status: str, tmp_path: Path) -> None:
    (run,) = runs_of(tmp_path, ["a"], [1], "trainer=ddp", "trainer.accelerator=cpu")
    run.directory.mkdir(parents=True)
    write(run.directory, Record("interrupted", "x", "a", 1, error="ended by SIGTERM"))
    (run.directory / "error-rank1.txt").write_text(f"rank 1 was ended by {by}")
    finalize_record(run, 143)
    assert read(run.directory).status == status


def test_another_port_is_taken_where_one_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []

    def run(self: Ranks, port: int) -> int:
        ports.append(port)
        taken = len(ports) == 1
        error = "DistNetworkError: The server socket has failed to listen (errno: 98 - Address already in use)"
        write(tmp_path, Record("failed" if taken else "done", "x", "a", 1, error=error if taken else None))
        if taken:
            (tmp_path / "error-rank1.txt").write_text("RuntimeError: wait timeout")
        return int(taken)

    monkeypatch.setattr(Ranks, "run", run)
    assert ranks.main([str(tmp_path), "2"]) == 0
    assert len(ports) == 2
    assert said_by_ranks(tmp_path) == {}


def test_no_other_port_is_tried_for_what_was_told_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []

    def run(self: Ranks, port: int) -> int:
        ports.append(port)
        self.signalled = signal.SIGTERM
        write(tmp_path, Record("failed", "x", "a", 1, error="DistNetworkError: address already in use"))
        return 128 + signal.SIGTERM

    monkeypatch.setattr(Ranks, "run", run)
    assert ranks.main([str(tmp_path), "2"]) == 128 + signal.SIGTERM
    assert len(ports) == 1


def test_what_a_rank_has_said_itself_is_kept(tmp_path: Path) -> None:
    (tmp_path / "error-rank1.txt").write_text("MemoryError: no room")
    assert made(tmp_path, "0,3").run(free_port()) == 3
    assert said_by_ranks(tmp_path) == {"error-rank1.txt": "MemoryError: no room"}


def test_a_signal_that_comes_while_they_are_started_reaches_them(tmp_path: Path) -> None:
    class Early(Ranks):
        def _start(self, rank: int, port: int) -> subprocess.Popen[bytes]:
            process = super()._start(rank, port)
            wait_for(tmp_path / f"pid{rank}")
            self.hand_on(signal.SIGTERM)
            return process

    found = Early([sys.executable, "-S", "-c", PROGRAM, str(tmp_path), "obey,obey"], 2, tmp_path)
    assert found.run(free_port()) == 128 + signal.SIGTERM
    assert [process.returncode for process in found.processes] == [128 + signal.SIGTERM]  # and no second was started


def test_each_has_a_group_of_its_own(tmp_path: Path) -> None:
    """A signal to the group of what starts them would reach them twice."""
    found = made(tmp_path, "obey,obey")
    thread = threading.Thread(target=found.run, args=(free_port(),))
    thread.start()
    pids = wait_for(tmp_path / "pid0", tmp_path / "pid1")
    groups = [os.getpgid(pid) for pid in pids]
    found.hand_on(signal.SIGTERM)
    thread.join(10)
    assert groups == pids
