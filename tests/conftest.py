"""What every test has: shapes checked, one thread, signals that are heard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # two workers on two cores: a thread that waits must not spin
os.environ["WANDB_MODE"] = "offline"

import pytest

from tests.shapes import check
from torture import hear_signals

check()


def fastest(lstm: bool = False) -> str:
    """The engine that `auto` takes here for a GRU (or an LSTM): the compiled one where it was built."""
    from lightning_seq.engines.fused import compiled

    return "fused" if compiled() is not None else "native" if lstm else "aten"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call() -> None:
    """Configurations that were composed once are kept by the environment, which pytest changes for every test."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> None:
    hear_signals()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _disks_are_not_waited_for() -> Iterator[None]:
    """A run flushes some forty files, five milliseconds each. Tests that count flushes replace this function."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda handle: None)
        yield


@contextmanager
def stamps_alone() -> Iterator[None]:
    """A dashboard is written by this process as ever, but holds its stamp alone."""
    from lightning_seq.report import write
    from lightning_seq.report.stamp import stamp

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(write, "render", lambda directory, runs, summary: stamp(runs))
        yield


@pytest.fixture
def no_charts() -> Iterator[None]:
    with stamps_alone():
        yield


@pytest.fixture
def mirror() -> Path:
    """A directory of real data sets in Hub layout, where this machine has one."""
    place = os.environ.get("LIGHTNING_SEQ_MIRROR")
    if not place:
        pytest.skip("LIGHTNING_SEQ_MIRROR names no directory of data sets")
    return Path(place)


LONG = ("training", "launch", "inference", "builders")
"""Folders whose tests run first: what takes long at the end would leave the other workers idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in LONG)


WITHOUT_CHARTS = (
    "builders", "cli", "comparison", "config", "inference", "launch", "models", "records", "training",
)  # fmt: skip
"""Folders whose tests run commands: charts take two thirds of the time of a small run."""


@pytest.fixture(autouse=True, scope="module")
def _draw(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """What draws a dashboard; the runs of a module's fixtures have no charts."""
    from lightning_seq.report import write

    draw = write.render
    with stamps_alone() if request.path.parent.name in WITHOUT_CHARTS else nullcontext():
        yield draw


@pytest.fixture(autouse=True)
def _charts_only_where_marked(
    request: pytest.FixtureRequest, _draw: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Charts are drawn only for tests with the mark `dashboard`."""
    if request.node.get_closest_marker("dashboard") is not None:
        monkeypatch.setattr("lightning_seq.report.write.render", _draw)


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """The words that choose an own file, a place for runs and a cache."""
    from tests.runs import sentences, write_csv

    file = write_csv(tmp_path / "train.csv", sentences(160))
    return ["data=csv", f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must end with exit code 2 and one line; return the line."""

    from lightning_seq.cli.main import main

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        said = capsys.readouterr().err.strip().splitlines()
        lines = [line for line in said if line.startswith("lightning-seq: ")]
        assert len(lines) == 1, said
        assert "Traceback" not in "".join(said)
        return lines[0].removeprefix("lightning-seq: ")

    return run
