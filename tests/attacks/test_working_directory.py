"""Modules that lie in the working directory of a command: none runs unless it is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seq.config.targets import class_at
from lightning_seq.errors import UserError
from lightning_seq.launch.local import command
from lightning_seq.records.record import runs_in
from tests.runs import TINY, environment
from tests.stand_in import runs_of

PLANTED = (
    "__future__", "typing", "random", "signal", "org", "fqdn", "cython", "pynvml", "triton", "hydra_plugins/planted",
    "lightning_seq_plugins", "sitecustomize", "vl_convert", "submitit", "tensorboard", "multiprocessing",
)  # fmt: skip
"""Modules that Python, this package or its libraries import, or try to import."""
AS_COMMAND = ("-P", "-c", "from lightning_seq.cli import entry; entry()")
"""The start of the script `lightning-seq`, whose directory is not the working directory."""
AS_MODULE = ("-m", "lightning_seq")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A working directory with modules that leave a file `ran-NAME` when they are imported."""
    place = tmp_path / "downloads"
    for name in PLANTED:
        file = place / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(place / f'ran-{file.stem}')!r}, 'w').close()\n")
    return place


def lightning_seq(place: Path, start: tuple[str, ...], *words: str) -> str:
    """The output of a command in this working directory, which runs none of its modules."""
    done = subprocess.run(
        [sys.executable, *start, *words], cwd=place, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert [path.name for path in place.glob("ran-*")] == []
    return done.stdout + done.stderr


@pytest.mark.parametrize("start", [AS_COMMAND, AS_MODULE], ids=["command", "module"])
def test_a_planted_module_is_not_run(start: tuple[str, ...], planted: Path) -> None:
    assert "holds no run" in lightning_seq(planted, start, "status", ".")


@pytest.mark.parametrize("start", [AS_COMMAND, pytest.param(AS_MODULE, marks=pytest.mark.slow)])
def test_nor_by_runs_and_reports(start: tuple[str, ...], planted: Path, own: list[str]) -> None:
    """The command, its fork server, the runs and the process of the chart library."""
    words = ("compare", "model=rnn", "seeds=1", *own, *TINY, "trainer.max_epochs=1")
    assert "dashboard" in lightning_seq(planted, start, *words)


def test_children_do_not_search_their_working_directory(tmp_path: Path) -> None:
    (alone,) = runs_of(tmp_path, ["a"], [1])
    (several,) = runs_of(tmp_path, ["b"], [1], "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    assert command(alone)[:3] == command(several)[:3] == [sys.executable, "-P", "-m"]


def test_only_named_modules_come_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named_cells.py").write_text("class Own: pass\n")
    (tmp_path / "sibling_cells.py").write_text("import other_cells\nclass Own: pass\n")
    (tmp_path / "other_cells.py").write_text("class Other: pass\n")
    (tmp_path / "random.py").write_text("raise SystemExit('run')\n")
    (tmp_path / "torchrecurrent.py").write_text("raise SystemExit('run')\n")
    assert class_at("named_cells.Own", "cell.path", (), ["named_cells"]).__name__ == "Own"
    with pytest.raises(UserError, match=r"imports 'other_cells' of the working directory.*allow=\[other_cells\]"):
        class_at("sibling_cells.Own", "cell.path", (), ["sibling_cells"])
    assert class_at("sibling_cells.Own", "cell.path", (), ["sibling_cells", "other_cells"]).__name__ == "Own"
    assert class_at("random.Random", "cell.path", (), ["random"]).__module__ == "random"
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not Path(path, "torchrecurrent").is_dir()])
    monkeypatch.delitem(sys.modules, "torchrecurrent", raising=False)
    with pytest.raises(UserError, match=r"cell\.path=torchrecurrent\.X.*allow=\[torchrecurrent\]"):
        class_at("torchrecurrent.X", "cell.path", ["torchrecurrent"])


def test_a_cell_of_the_working_directory_is_checked_and_compared(tmp_path: Path, own: list[str]) -> None:
    """A package, also one without `__init__.py`, in the command and in the processes of its runs."""
    place = tmp_path / "mine"
    (place / "own_package").mkdir(parents=True)
    (place / "own_package" / "cells.py").write_text(
        "from lightning_seq import ElmanCell\nclass MyCell(ElmanCell):\n    pass\n"
    )
    assert "Simple recurrent" in lightning_seq(place, AS_COMMAND, "explain", "own_package.cells.MyCell")
    cells = "cell._target_=own_package.cells.MyCell"
    words = ("compare", "model=recurrent", cells, "seeds=1", *own, *TINY, "trainer.max_epochs=1")
    lightning_seq(place, AS_COMMAND, *words)
    runs = runs_in(tmp_path / "runs" / "csv")
    assert [(record.status, record.cell) for _, record in runs] == [("done", "MyCell")]
