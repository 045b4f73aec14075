"""Learning curves made ready to draw: the mean of a label's runs, the band around it, how many points are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import stdev

import pytest

from lightning_seq.records.record import Record, read, write
from lightning_seq.report.curves import LEAST_POINTS, CurveRow, Point, band, curve_rows, logged, points_of_a_run
from lightning_seq.report.dashboard.learning_curves import AXES, learning_curves
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.summary import runs_of, summarise

Make = Callable[..., Path]


def record(curve: list, seed: int = 1, status: str = "done") -> Record:
    return Record(status, "demo", "rnn", seed, curves={"val/loss": curve})


LONG = [[10, 1, 1.0, 0.4], [20, 2, 2.0, 0.2]]
OTHER = [[10, 1, 3.0, 0.6], [20, 2, 6.0, 0.5]]


def test_the_band_is_the_spread_of_the_seeds_at_each_epoch_that_all_reached() -> None:
    short = [[10, 1, 5.0, 0.8]]
    curves = [logged(record(curve), "val/loss") for curve in (LONG, OTHER, short)]
    ((step, mean, sd),) = band(curves)
    assert step == 10
    assert mean == Point(1.0, 3.0, pytest.approx(0.6))
    assert sd == pytest.approx(stdev([0.4, 0.6, 0.8]))
    assert band(curves[:1]) == []


def test_rows_are_runs_and_the_mean_of_the_finished_ones() -> None:
    runs = [record(LONG), record(OTHER, seed=2), record(LONG[:1], seed=3, status="failed")]
    found = curve_rows(runs, ["rnn"], "val/loss")
    assert [row.seed for row in found] == [1, 1, 2, 2, 3, None, None]
    assert found[0] == CurveRow(0, 1, 10, 1, 1, 0.4, None)
    assert found[-1] == CurveRow(0, None, 20, 2, 4, 0.35, pytest.approx(0.21213))


def test_a_mean_is_made_of_all_points_before_it_is_thinned() -> None:
    """Runs that ended after different numbers of steps keep different points; the mean needs points in common."""
    runs = [
        record([[step, step, float(step), 1.0 / step] for step in range(1, last + 1)], seed)
        for seed, last in ((1, 997), (2, 1_000))
    ]
    mean = [row for row in curve_rows(runs, ["rnn"], "val/loss", 50) if row.seed is None]
    assert len(mean) == 50
    assert (mean[0].epoch, mean[-1].epoch) == (1, 997)


def test_many_runs_keep_fewer_points_each() -> None:
    assert points_of_a_run(10) == 200
    assert points_of_a_run(200) == 45
    assert points_of_a_run(2_000) == LEAST_POINTS


def test_what_was_cut_is_said(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1, steps_per_epoch=100)
    summary = summarise(directory)
    assert "Of up to 800 points of a run, 200 are drawn." in learning_curves(
        Page(["rnn"]), [record for _, record in runs_of(directory)], summary
    )


def test_without_steps_there_is_no_choice_of_them(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    held = read(directory / "rnn-seed1")
    curves = {name: [[None, *point[1:]] for point in curve] for name, curve in held.curves.items()}
    write(directory / "rnn-seed1", held.with_(curves=curves))
    page = Page(["rnn"])
    body = learning_curves(page, [record for _, record in runs_of(directory)], summarise(directory))
    assert {axis: f'value="{axis}"' in body for axis in AXES} == {"step": False, "epoch": True, "seconds": True}
    assert all(list(entry["choice"]) == ["epoch", "seconds"] for entry in page.charts.values())
