"""The table of runs on the terminal, and the plan of a dry run."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from lightning_seq.comparison import dry_run
from lightning_seq.comparison.grid import entries, planned_runs
from lightning_seq.comparison.progress import RunTable
from lightning_seq.records.record import Record, write
from lightning_seq.training.planned import Planned
from tests.stand_in import runs_of


def end(run: Planned) -> None:
    run.directory.mkdir(parents=True)
    metrics = {"val/accuracy": 0.75, "test/accuracy": 0.5}
    write(run.directory, Record("done", "x", run.entry.label, run.seed, metrics=metrics))


def shown(runs: Sequence[Planned], is_terminal: bool) -> str:
    """The text that is printed when the first run ends."""
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=is_terminal, color_system="standard", _environ={})
    with RunTable(runs, console) as table:
        table.watch([])
        end(runs[0])
        table._last = 0.0
        table.watch([])
    return out.getvalue()


def test_a_line_above_the_live_table_leaves_its_cells_as_they_are(tmp_path: Path) -> None:
    text = shown(runs_of(tmp_path, ["a", "b[red]"], [1]), is_terminal=True)
    assert "a-seed1: test/accuracy 0.5000" in text
    assert "\x1b[2mwaiting" in text
    assert "[dim]" not in text
    assert "[/]" not in text
    assert "b[red]-seed1" in text


def test_runs_at_work_stand_above_those_that_wait(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, ["a", "b", "c"], [1])
    table = RunTable(runs, Console(file=StringIO(), width=100, force_terminal=True, _environ={}))
    table.watch([SimpleNamespace(run=runs[1], started=time.monotonic() - 7)])
    cells = [[str(cell) for cell in column.cells] for column in table._table().columns]
    assert cells[:2] == [["b-seed1", "a-seed1", "c-seed1"], ["running", "waiting", "waiting"]]
    assert cells[-1] == ["7", "", ""]


def test_candidates_tell_their_validation(tmp_path: Path) -> None:
    """The report shows the test split of the chosen label alone: so do the lines before it."""
    given = ["data=verses_genre", "name=x", f"runs={tmp_path}"]
    sweep = planned_runs(entries([*given, "model=rnn", "optimizer.lr=0.002,0.02"]), [1, 2])
    text = shown(sweep, is_terminal=False)
    assert re.search(r"-seed1: val/accuracy 0\.7500  ", text)
    assert "test/" not in text
    architectures = planned_runs(entries([*given, "name=y", "model=lstm,gru"]), [1, 2])
    text = shown(architectures, is_terminal=False)
    assert re.search(r"-seed1: test/accuracy 0\.5000  ", text)
    assert "val/" not in text


@pytest.mark.parametrize("width", [80, 100])
def test_the_plan_of_a_dry_run_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    runs = runs_of(tmp_path, ["encoder_decoder_attention-dot"], [1, 2])
    counts = {"total": 12_345_678, "embedding": 9_876_543, "recurrent": 1_234_567, "head": 765_432}
    ready: Any = [SimpleNamespace(entry=runs[0].entry, parameters=counts)]
    monkeypatch.setattr(dry_run, "seconds_a_run", lambda item: 90.0)
    out = StringIO()
    dry_run.show_plan(ready, runs, 1, Console(file=out, width=width))
    text = out.getvalue()
    assert all(f"{count:,}" in text for count in counts.values())
    assert "1.5" in text
    assert "…" not in text
