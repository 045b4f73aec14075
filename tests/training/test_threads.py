"""How many threads a run has, and how they wait."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.launch.local import environment_of
from lightning_seq.training import threads
from lightning_seq.training.threads import cores, quota, threads_per_job, wait_without_spinning
from tests.runs import TINY, record_of
from tests.stand_in import runs_of


@pytest.mark.parametrize(
    ("given", "words", "expected"),
    [
        (None, [], 6),
        (None, ["jobs=2"], 3),
        (None, ["jobs=2", "launcher=inline"], 6),
        (None, ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=4"], 1),
        (None, ["trainer=ddp", "trainer.accelerator=gpu", "trainer.devices=2"], 6),
        ("1", [], 1),
        ("4,2", ["jobs=3"], 4),
        ("1", ["trainer.threads=5"], 5),
        ("0", [], 6),
        ("many", [], 6),
        ("65537", [], 6),
    ],
)
def test_threads_of_a_run(given: str | None, words: list[str], expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert threads_per_job(compose(["data=verses_genre", "model=rnn", "name=x", *words])) == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "250000 100000"}, 2.5),
        ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/a\n", {"a/cpu.max": "max 100000"}, math.inf),
        ("4:cpu,cpuacct:/a\n0::/\n", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3.0),
        ("4:cpu:/a\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("1:memory:/a\n", {"cpu.max": "100000 100000", "memory/a/cpu.max": "100000 100000"}, math.inf),
        ("nonsense\n", {"cpu.max": "100000 100000"}, math.inf),
        ("0::/\n", {"cpu.max": "several"}, math.inf),
    ],
)
def test_quotas_of_control_groups(own: str, files: dict[str, str], expected: float, tmp_path: Path) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    assert quota(tmp_path / "groups", tmp_path / "own") == expected


def test_a_quota_limits_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for limit, expected in ((math.inf, 8), (2.5, 2), (0.5, 1)):
        monkeypatch.setattr(threads, "quota", lambda limit=limit: limit)
        assert cores() == expected


def test_threads_sleep_soon_unless_the_user_says_how_they_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = runs_of(tmp_path, ["a"], [1])
    for name in ("OMP_WAIT_POLICY", *threads.WAITING):
        monkeypatch.delenv(name, raising=False)
    assert environment_of(run, 1).items() >= threads.WAITING.items()
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert environment_of(run, 1)["GOMP_SPINCOUNT"] == "7"
    given = {"OMP_WAIT_POLICY": "active"}
    wait_without_spinning(given)
    assert given == {"OMP_WAIT_POLICY": "active"}


def test_the_record_says_what_was_chosen(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(threads, "cores", lambda: 2)
    assert main(["train", "model=rnn", *own, *TINY, "trainer.threads=null"]) == 0
    assert record_of(own, "rnn-seed1").environment["threads"] == 1
