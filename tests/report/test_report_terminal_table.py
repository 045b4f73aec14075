"""Tables on a terminal: columns are left out where they do not fit, and nothing is cut."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lightning_seq.records.record import runs_in, write
from lightning_seq.report.summary import summarise
from lightning_seq.report.terminal_table import LEFT_OUT, terminal
from tests.report.made_sweep import made
from tests.report.printed import printed

Make = Callable[..., Path]


def head(lines: list[str]) -> str:
    """The headings, which may lie on several lines."""
    return " ".join(lines[: next(place for place, line in enumerate(lines) if "─" in line)])


@pytest.mark.parametrize(("width", "left_out"), [(60, 3), (80, 1), (100, 0), (120, 0)])
def test_columns_are_left_out_until_the_others_fit(
    make_comparison: Make, tmp_path: Path, width: int, left_out: int
) -> None:
    lines = printed(summarise(make_comparison(tmp_path / "demo", labels=("rnn", "lstm"))), width).splitlines()
    assert max(map(len, lines)) <= width
    assert [name for name in LEFT_OUT if name not in head(lines)] == list(LEFT_OUT[:left_out])
    row = next(line for line in lines if line.startswith(" rnn"))
    assert row.rstrip().endswith("3/3")
    assert "1,233,927" in row


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_sweep_keeps_the_metric_that_chose(tmp_path: Path, width: int) -> None:
    lines = printed(made(tmp_path / "sweep"), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "val/accuracy" in head(lines)
    row = next(line for line in lines if line.startswith(" lstm-lr0.01"))
    assert "0.722 ± 0.001" in row
    assert "0.721 0.722 0.723" in row
    assert "0.752 ± 0.001" in row
    assert row.rstrip().endswith("3/3")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_two_seeds_lie_on_one_line(tmp_path: Path, width: int) -> None:
    values = {"bidirectional-lr0.002": (0.9, 0.9), "bidirectional-lr0.02": (0.8, 0.8)}
    lines = printed(made(tmp_path / "sweep", values, seeds=2), width).splitlines()
    assert any("0.901 0.902" in line for line in lines)


def test_the_label_that_beats_every_other_one_is_bold(make_language: Make, tmp_path: Path) -> None:
    console = Console(width=120, file=io.StringIO(), record=True, color_system="standard", force_terminal=True)
    console.print(terminal(summarise(make_language(tmp_path / "demo"))))
    bold = [line for line in console.export_text(styles=True).splitlines() if "\x1b[1mgru" in line]
    assert len(bold) == 1
    assert "\x1b[1mrnn" not in console.export_text(styles=True)


def test_of_sizes_that_were_matched_the_mismatch_takes_the_place_of_the_time(
    make_comparison: Make, tmp_path: Path
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"))
    assert "mismatch" not in head(printed(summarise(directory), 120).splitlines())
    for run, record in runs_in(directory):
        write(run, record.with_(match={"mismatch": 0.012}))
    lines = printed(summarise(directory), 120).splitlines()
    assert "mismatch" in head(lines)
    assert "train s" not in head(lines)
    assert sum("+1.2" in line for line in lines) == 2


@pytest.mark.parametrize("width", [24, 40])
def test_where_nothing_fits_cells_are_wrapped(make_comparison: Make, tmp_path: Path, width: int) -> None:
    label = "recurrent-gru_reset_before-model.hidden_size=512"
    lines = printed(summarise(make_comparison(tmp_path / "demo", labels=("lstm", label), seeds=2)), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert "done" in head(lines)
