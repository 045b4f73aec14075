"""Runs as tasks of Ray, on a cluster of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.launch.ray import processes_of, resources
from lightning_seq.records.record import read
from tests.runs import TINY
from tests.stand_in import runs_of


def test_what_a_run_takes(tmp_path: Path) -> None:
    def asked(*words: str) -> dict[str, float]:
        return resources(runs_of(tmp_path, ["a"], [1], "launcher=ray", *words)[0].config)

    assert asked() == {"num_cpus": 1, "num_gpus": 0}
    assert asked("trainer.threads=3", "trainer=gpu") == {"num_cpus": 3, "num_gpus": 1}
    assert asked("trainer=gpu", "launcher.gpus=0.25", "launcher.cpus=2") == {"num_cpus": 2, "num_gpus": 0.25}
    (open_,) = runs_of(tmp_path, ["a"], [1], "trainer.devices=auto")
    with pytest.raises(UserError, match="give a number"):
        processes_of(open_.config)


@pytest.mark.slow
def test_runs_are_tasks(own: list[str]) -> None:
    pytest.importorskip("ray")
    words = ["compare", "model=rnn,gru", "seeds=1", "launcher=ray", *own, *TINY]
    assert main(words) == 0
    place = Path(own[2].removeprefix("runs=")) / "csv"
    assert [read(place / run).status for run in ("rnn-seed1", "gru-seed1")] == ["done", "done"]


@pytest.mark.slow
def test_a_run_over_several_nodes_is_one_of_ray_train(own: list[str]) -> None:
    """Two nodes that are this one, with a worker each."""
    pytest.importorskip("ray.train.torch")
    words = ["compare", "model=rnn", "seeds=1", "launcher=ray", "trainer=ddp", "trainer.accelerator=cpu", *own, *TINY]
    assert main([*words, "trainer.devices=1", "trainer.num_nodes=2"]) == 0
    place = Path(own[2].removeprefix("runs=")) / "csv"
    log = (place / "rnn-seed1" / "log.txt").read_text()
    assert read(place / "rnn-seed1").status == "done"
    assert log.count("was trained on") == 2
