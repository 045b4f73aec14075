"""A run on two processes that is killed and gone on with ends as the one that was not."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lightning_seq.launch.fork_server import Child, ForkServer
from lightning_seq.launch.local import MODULES, environment_of
from lightning_seq.launch.ranks import free_port
from lightning_seq.records.record import read
from lightning_seq.training.directory import prepare_directory
from lightning_seq.training.planned import Planned
from torture.killed import PATIENCE, Scene, differences, wait_for_its_lock

pytestmark = pytest.mark.slow

KILL, TERM = signal.SIGKILL, signal.SIGTERM
ALONE = 5.0
"""Seconds that a rank has to end by itself when the other one has."""

DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.timeout=60", "task.dropout=0.2")

CASES = [
    ("classification", {0: "batch:7", 1: "batch:7"}, KILL),  # between two batches whose gradients are accumulated
    ("classification", {0: "writing:3"}, KILL),
    ("classification", {1: "batch:12"}, TERM),
    ("classification", {0: "validation:2", 1: "validation:2"}, TERM),
    ("language_modelling", {1: "batch:30"}, KILL),
    ("language_modelling", {0: "batch:17"}, TERM),
]
"""Where which rank is struck, `torture.strike`. One that is killed takes the other with it, as their launcher does."""


class Pair:
    """Runs of two ranks, each a copy of a process that has imported everything."""

    def __init__(self) -> None:
        kinds = ("classification", "language_modelling")
        own = [f"lightning_seq.{room}.{kind}" for room in ("data", "tasks", "builders") for kind in kinds]
        self.server = ForkServer([*MODULES, *own, "torture.strike"])

    def run(self, planned: Planned, strikes: Mapping[int, str] | None = None) -> list[int]:
        """The exit code of each rank."""
        wait_for_its_lock(planned.directory)
        prepare_directory(planned.directory, planned.config)
        names = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
        ranks = [self._start(planned, {**names, "RANK": rank, "LOCAL_RANK": rank}, strikes or {}) for rank in (0, 1)]
        begun, lost = time.monotonic(), None
        while any(rank.poll() is None for rank in ranks):
            time.sleep(0.01)
            if lost is None and any(rank.poll() for rank in ranks):
                lost = time.monotonic()
            killed = any(rank.poll() == -KILL for rank in ranks)
            if killed or (lost and time.monotonic() - lost > ALONE) or time.monotonic() - begun > PATIENCE:
                for rank in ranks:
                    if rank.poll() is None:
                        os.kill(rank.pid, KILL)
                return [rank.wait(PATIENCE) for rank in ranks]
        return [rank.wait() for rank in ranks]

    def _start(self, planned: Planned, names: Mapping[str, object], strikes: Mapping[int, str]) -> Child:
        environment = {**environment_of(planned, 1), **{name: str(value) for name, value in names.items()}}
        environment["STRIKE"] = strikes.get(int(environment["RANK"]), "")
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        return self.server.start([str(planned.directory)], environment, planned.directory / "log.txt")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Pair, Scene, Path]]]:
    if not ForkServer.possible():
        pytest.skip("runs are copied from a process that has imported everything: Linux alone")
    pair, root, straight = Pair(), tmp_path_factory.mktemp("ranks"), dict[str, Path]()

    def of(task: str) -> tuple[Pair, Scene, Path]:
        scene = Scene.of(task, root, DDP)
        if task not in straight:
            run = scene.run("straight")
            assert pair.run(run) == [0, 0], (run.directory / "log.txt").read_text()
            straight[task] = run.directory
        return pair, scene, straight[task]

    yield of
    pair.server.close()


@pytest.mark.parametrize(("task", "strikes", "number"), CASES)
def test_two_ranks_that_were_ended_go_on_as_if_they_had_not(
    task: str,
    strikes: dict[int, str],
    number: signal.Signals,
    stage: Callable[[str], tuple[Pair, Scene, Path]],
) -> None:
    pair, scene, straight = stage(task)
    place = "-".join(f"{rank}{strike.replace(':', '')}" for rank, strike in strikes.items())
    run = scene.run(f"{place}-{number.name}")
    shutil.rmtree(run.directory, ignore_errors=True)
    codes = pair.run(run, {rank: f"{strike}:{int(number)}" for rank, strike in strikes.items()})
    ended = all(codes) and -KILL in codes if number == KILL else codes == [128 + number] * 2
    assert ended, (codes, (run.directory / "log.txt").read_text())
    wanted = {"running", "failed"} if number == KILL else {"interrupted"}  # the other one may have had time to say it
    assert read(run.directory).status in wanted
    assert pair.run(run) == [0, 0], (run.directory / "log.txt").read_text()
    record = read(run.directory)
    assert record.resumed_at
    assert any(name.startswith("test/") for name in record.metrics)
    found = differences(straight, run.directory)
    assert not any(found.values()), found
    assert not list(run.directory.rglob("*.part"))
