"""Runs as jobs of a cluster: submitit's local executor, and what SLURM would be asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.launch.launch import launch, launcher_for
from lightning_seq.launch.submitit import parameters
from lightning_seq.records.record import read
from tests.runs import TINY
from tests.stand_in import runs_of


def test_what_slurm_is_asked_for(tmp_path: Path) -> None:
    given = [
        "launcher=submitit",
        "launcher.partition=long",
        "launcher.sbatch.qos=high",
        "trainer=gpu",
        "launcher.cpus=8",
    ]
    (run,) = runs_of(tmp_path, ["a"], [1], *given)
    asked = parameters(run, 7)
    assert asked == {
        "name": "x", "timeout_min": 1440, "mem_gb": 16, "nodes": 1, "tasks_per_node": 1, "cpus_per_task": 8,
        "gpus_per_node": 1, "slurm_array_parallelism": 7, "slurm_partition": "long", "slurm_qos": "high",
    }  # fmt: skip
    (wide,) = runs_of(tmp_path, ["a"], [1], *given, "trainer.devices=4", "trainer.num_nodes=2")
    asked = parameters(wide, 7)
    assert (asked["nodes"], asked["tasks_per_node"], asked["gpus_per_node"], asked["cpus_per_task"]) == (2, 4, 4, 8)
    (node,) = runs_of(tmp_path, ["a"], [1], *given, "trainer.devices=4")
    asked = parameters(node, 7)
    assert (asked["tasks_per_node"], asked["gpus_per_node"], asked["cpus_per_task"]) == (1, 4, 32)
    (open_,) = runs_of(tmp_path, ["a"], [1], "launcher=submitit", "trainer.devices=auto")
    with pytest.raises(UserError, match="give a number"):
        parameters(open_, 1)


@pytest.mark.parametrize(("kind", "extra"), [("submitit", "slurm"), ("ray", "ray")])
def test_what_is_not_installed_is_named(kind: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(UserError, match=rf'pip install "\.\[{extra}\]"'):
        launcher_for(runs_of(tmp_path, ["a"], [1], f"launcher={kind}"))


@pytest.mark.slow
def test_runs_are_jobs_of_the_local_executor(own: list[str]) -> None:
    pytest.importorskip("submitit")
    words = ["compare", "model=rnn,gru", "seeds=1", "launcher=submitit", "launcher.cluster=local", *own, *TINY]
    assert main(words) == 0
    place = Path(own[2].removeprefix("runs=")) / "csv"
    finished = [read(place / run).finished for run in ("rnn-seed1", "gru-seed1")]
    assert main(words) == 0
    assert [read(place / run).finished for run in ("rnn-seed1", "gru-seed1")] == finished
    assert list((place / ".submitit").iterdir())


def test_a_parameter_that_slurm_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    (run,) = runs_of(tmp_path, ["a"], [1], "launcher=submitit", "launcher.sbatch.quality=high")
    said: list[str] = []
    launch([run], 1, lambda running: None, said.append)
    assert len(said) == 1
    assert "launcher=submitit" in said[0]
