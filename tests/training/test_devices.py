"""Who started the processes of a run, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy

from lightning_seq.config.compose import compose
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.launch.ranks import free_port
from lightning_seq.records.record import read
from lightning_seq.training.devices import adopt, check_devices, started_by
from lightning_seq.training.trainer import cluster_environment, layout, strategy
from tests.runs import TINY, environment

TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "GROUP_RANK": "0",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}  # fmt: skip
SLURM = {
    "SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "train", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4", "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "2",
}  # fmt: skip
ALONE = {"SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}
"""In the script of a SLURM job, before any srun."""


def config(*words: str) -> Config:
    return compose(["data=verses_genre", "model=rnn", "name=x", *words])


DDP = ("trainer=ddp", "trainer.accelerator=cpu")


def test_who_started_this_process() -> None:
    assert started_by({}) is None
    assert started_by(ALONE) is None
    assert started_by(TORCHRUN) == "torchrun"
    assert started_by({**SLURM, **TORCHRUN}) == "torchrun"
    assert started_by(SLURM) == "slurm"
    assert started_by({**SLURM, "SLURM_JOB_NAME": "interactive"}) is None
    assert started_by({**SLURM, "SLURM_STEP_NUM_TASKS": "1"}) is None


def test_a_task_of_slurm_gets_the_names_of_torch() -> None:
    found = dict(SLURM)
    adopt(found)
    assert (found["RANK"], found["LOCAL_RANK"], found["WORLD_SIZE"]) == ("3", "1", "4")
    alone = dict(ALONE)
    adopt(alone)
    assert alone == ALONE


@pytest.mark.parametrize(
    ("environment", "words", "kind"),
    [
        ({}, [], LightningEnvironment),
        (TORCHRUN, DDP, TorchElasticEnvironment),
        (SLURM, DDP, SLURMEnvironment),
        (ALONE, [], LightningEnvironment),
        (SLURM, [], LightningEnvironment),
    ],
)
def test_how_processes_find_one_another(
    environment: dict[str, str], words: list[str], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = cluster_environment(config(*words))
    assert type(found) is kind
    assert not getattr(found, "auto_requeue", False)


def test_the_strategy_and_its_timeout() -> None:
    assert strategy(config()) == "auto"
    made = strategy(config(*DDP, "trainer.timeout=7"))
    assert isinstance(made, DDPStrategy)
    assert made._timeout == timedelta(seconds=7)
    assert "find_unused_parameters" not in made._ddp_kwargs
    thawing = strategy(config(*DDP, "embedding=random", "embedding.frozen=1"))
    assert thawing._ddp_kwargs["find_unused_parameters"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["trainer.num_nodes=2"], {}, "this process is alone"),
        (["trainer.num_nodes=2"], ALONE, "this process is alone"),
        (["trainer.num_nodes=0"], {}, "at least 1"),
        (["trainer.timeout=0"], {}, "trainer.timeout=0: expected a number from 1 to 100000000"),
        (["trainer.devices=3"], TORCHRUN, "started 4 processes"),
        (["trainer.devices=4", "trainer.num_nodes=2"], SLURM, "asks for 8"),
    ],
)
def test_what_is_refused(words: list[str], environment: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_devices(config(*DDP, *words), environment)


def test_what_lightning_is_told_of_devices() -> None:
    asked = ("trainer.devices=2", "trainer.num_nodes=3")
    of_ray = {**TORCHRUN, "LIGHTNING_SEQ_DEVICE": "1"}
    assert layout(config(*DDP, *asked), TORCHRUN) == (2, 3)
    assert layout(config(*DDP, *asked), of_ray) == (1, 4)
    assert layout(config("trainer=ddp", "trainer.accelerator=gpu", *asked), of_ray) == ([1], 4)


def test_what_is_not_refused() -> None:
    check_devices(config(), {})
    check_devices(config(*DDP, "trainer.devices=4"), {})
    check_devices(config(*DDP, "trainer.devices=2", "trainer.num_nodes=2"), SLURM)
    check_devices(config(*DDP, "trainer.devices=auto"), TORCHRUN)
    check_devices(config(*DDP, "trainer.num_nodes=2", "launcher=submitit"), {})


def two_processes(commands: list[list[str]], environments: list[dict[str, str]], place: Path) -> str:
    """The log of the run that they make together."""
    started = [
        subprocess.Popen(command, env=environment() | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command, more in zip(commands, environments, strict=True)
    ]
    said = [process.communicate(timeout=280)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert read(place / "rnn-seed1").status == "done"
    assert sum("dashboard" in text for text in said) == 1  # rank 0 alone reports
    return (place / "rnn-seed1" / "log.txt").read_text()


@pytest.mark.slow
def test_two_nodes_of_torchrun(own: list[str]) -> None:
    """Both are this machine."""
    words = ["train", "model=rnn", *own, *TINY, *DDP, "trainer.devices=1", "trainer.num_nodes=2"]
    port = free_port()
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d",
        f"--rdzv-endpoint=localhost:{port}", "--rdzv-id=two", "-m", "lightning_seq", *words,
    ]  # fmt: skip
    log = two_processes([command, command], [{}, {}], Path(own[2].removeprefix("runs=")) / "csv")
    assert log.count("was trained on") == 2


@pytest.mark.slow
def test_two_tasks_of_slurm(own: list[str]) -> None:
    words = ["train", "model=rnn", *own, *TINY, *DDP, "trainer.devices=2"]
    common = {
        "SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "train", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost",
        "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    tasks = [{**common, "SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in ("0", "1")]
    command = [sys.executable, "-m", "lightning_seq", *words]
    log = two_processes([command, command], tasks, Path(own[2].removeprefix("runs=")) / "csv")
    assert log.count("was trained on") == 2
