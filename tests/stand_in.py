"""Runs that take no time: what starts a run's process starts this instead."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

from lightning_seq.comparison.grid import planned_runs
from lightning_seq.config.compose import compose
from lightning_seq.config.entry import Entry
from lightning_seq.launch import local
from lightning_seq.training.planned import Planned

PROGRAM = """
import fcntl, json, os, sys, time
directory, seconds = sys.argv[1], float(sys.argv[2])
with open(os.path.join(directory, ".lock"), "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(os.path.join(directory, "times"), "a") as times:
        times.write(os.environ.get("CUDA_VISIBLE_DEVICES", "none") + "\\n")
    time.sleep(seconds)
    label, _, seed = os.path.basename(directory).rpartition("-seed")
    record = {"schema": 1, "status": "done", "name": "x", "label": label, "seed": int(seed)}
    with open(os.path.join(directory, "part"), "w") as part:
        json.dump(record, part)
    os.replace(part.name, os.path.join(directory, "record.json"))
"""


def stand_in(run: Planned, seconds: float = 0.0) -> list[str]:
    return [sys.executable, "-S", "-c", PROGRAM, str(run.directory), str(seconds)]


def use(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> None:
    monkeypatch.setattr(local, "command", lambda run: stand_in(run, seconds))
    monkeypatch.setattr(local, "fork_server_for", lambda runs: None)


def use_alone(seconds: float = 0.0) -> None:
    """In a process that ends with the test. Runs have no checkpoints, and Lightning is not imported to find some."""
    use(pytest.MonkeyPatch(), seconds)
    for name in ("resume", "checkpoints"):
        module = ModuleType(f"lightning_seq.training.{name}")
        module.check_resume, module.good_checkpoints = Mock(), Mock(return_value=iter(()))  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module


def runs_of(place: Path, labels: Sequence[str], seeds: Sequence[int], *words: str) -> list[Planned]:
    config = compose(["data=verses_genre", "model=rnn", "name=x", f"runs={place}", *words])
    return planned_runs([Entry(label, [], config) for label in labels], seeds)


def times(run: Planned) -> list[str]:
    """The devices that the run saw, each time that it ran."""
    path = run.directory / "times"
    return path.read_text().split() if path.exists() else []
