"""A comparison that several commands work on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.experiment.launch import Claim, ClaimedError, at_work, launch, launcher_for
from lightning_seq.experiment.run_directory import held
from lightning_seq.record import Record, write

from .stand_in import runs_of, times, use
from .test_runs import environment

COMMAND = """
import sys
from pathlib import Path
import pytest
from lightning_seq.experiment.launch import launch
from tests.experiment.stand_in import runs_of, use

use(pytest.MonkeyPatch(), 0.1)
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
    monkeypatch.setattr("lightning_seq.experiment.launch.LOOK_AGAIN", 0.1)
    monkeypatch.setattr("lightning_seq.experiment.launch.MOMENT", 0.02)
    use(monkeypatch)
    killed, failed = runs_of(tmp_path, ["killed", "failed"], [1])
    claims = [Claim(run.directory) for run in (killed, failed)]

    def other() -> None:
        time.sleep(0.5)
        write(killed.directory, Record("running", "x", "killed", 1))
        write(failed.directory, Record("failed", "x", "failed", 1, error="too small"))
        for claim in claims:
            claim.give_back()

    said: list[str] = []
    thread = threading.Thread(target=other)
    thread.start()
    launch([killed, failed], 1, lambda running: None, said.append, poll=0.02)
    thread.join()
    assert (len(times(killed)), len(times(failed))) == (1, 0)
    assert len(said) == 2
    assert "is being run by another process" in said[0]


def test_a_claim_and_a_lock_both_keep_others_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_seq.experiment.launch.MOMENT", 0.02)
    assert not at_work(tmp_path)
    with Claim(tmp_path):
        assert at_work(tmp_path)
        with pytest.raises(ClaimedError):
            Claim(tmp_path)
    with held(tmp_path), pytest.raises(ClaimedError):
        Claim(tmp_path)
    assert not at_work(tmp_path)


def test_a_launcher_that_is_none(tmp_path: Path) -> None:
    (run,) = runs_of(tmp_path, ["a"], [1])
    run.entry.config["launcher"]["kind"] = "lokal"
    with pytest.raises(UserError, match="did you mean local"):
        launcher_for([run])
