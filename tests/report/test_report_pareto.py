"""Which labels no other one beats in quality and cost, and where their marks and names stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lightning_seq.records.record import read, write
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.quality_against_cost import (
    COSTS,
    front,
    is_logarithmic,
    marks,
    quality_against_cost,
)
from lightning_seq.report.summary import runs_of, summarise

Make = Callable[..., Path]

POINTS = [(1.0, 0.6), (2.0, 0.8), (3.0, 0.7), (4.0, 0.9), (4.0, 0.85)]


@pytest.mark.parametrize(
    ("lower_x", "lower_y", "kept"),
    [(True, False, [0, 1, 3]), (False, False, [3]), (True, True, [0]), (False, True, [0, 2, 4])],
)
def test_the_front_holds_what_no_other_point_dominates(lower_x: bool, lower_y: bool, kept: list[int]) -> None:
    assert front(POINTS, lower_x, lower_y) == kept


def test_equal_points_are_on_the_front_together() -> None:
    assert front([(1.0, 1.0), (1.0, 1.0), (2.0, 1.0)], lower_x=True, lower_y=False) == [0, 1]
    assert front([], lower_x=True, lower_y=False) == []


@given(some.lists(some.tuples(some.integers(0, 6), some.integers(0, 6)), max_size=12), some.booleans(), some.booleans())
def test_the_front_is_what_a_search_over_all_pairs_finds(
    points: list[tuple[int, int]], lower_x: bool, lower_y: bool
) -> None:
    def beats(p: tuple[int, int], q: tuple[int, int]) -> bool:
        x, y = (q[0] - p[0] if lower_x else p[0] - q[0]), (q[1] - p[1] if lower_y else p[1] - q[1])
        return x >= 0 and y >= 0 and (x > 0 or y > 0)

    expected = {place for place, q in enumerate(points) if not any(beats(p, q) for p in points)}
    found = front([(float(x), float(y)) for x, y in points], lower_x, lower_y)
    assert set(found) == expected
    assert [points[place] for place in found] == sorted(points[place] for place in found)


def test_each_label_is_its_mean_with_bars_and_its_seeds(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo")).groups
    _, recurrent, speed = COSTS
    drawn = marks(group, recurrent)
    assert [row.kind for row in drawn] == ["seed"] * 12 + ["mean"] * 4 + ["front"] * 3
    assert [group.labels[row.label] for row in drawn if row.kind == "front"] == ["rnn", "birnn", "gru"]
    mean = next(row for row in drawn if row.kind == "mean")
    accuracy = group.rows[0].metric("test/accuracy")
    assert (mean.x, mean.value) == (33_024, accuracy.mean)
    assert mean.high - mean.value == pytest.approx(accuracy.std)
    assert (mean.x_low, mean.x_high) == (33_024, 33_024)
    fastest = next(row for row in marks(group, speed) if row.kind == "mean")
    assert fastest.x_high - fastest.x == pytest.approx(group.rows[0].tokens_per_second.std)
    assert {group.labels[row.label] for row in marks(group, speed) if row.kind == "front"} == {
        "rnn",
        "lstm",
        "gru",
    }


def test_names_on_the_front_cover_no_other(make_comparison: Make, tmp_path: Path) -> None:
    """Equal costs put all names in one place: one of each side has room."""
    labels = tuple(f"a label of some length {number}" for number in range(6))
    directory = make_comparison(tmp_path / "demo", labels=labels, seeds=1)
    for run, record in runs_of(directory):
        write(run, record.with_(metrics={"test/accuracy": 0.7}))
    (group,) = summarise(directory).groups
    sides = [row.side for row in marks(group, COSTS[1]) if row.kind == "front"]
    assert len(sides) == 6
    assert sum(side != "" for side in sides) <= 2


def test_a_wide_range_of_costs_has_a_logarithmic_axis(make_comparison: Make, tmp_path: Path) -> None:
    assert not is_logarithmic(1_000, 9_999)
    assert is_logarithmic(1_000, 10_000)
    assert not is_logarithmic(0, 10_000)
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=1)
    record = read(directory / "gru-seed1")
    write(directory / "gru-seed1", record.with_(parameters={**record.parameters, "recurrent": 3_000_000}))
    page = Page(["rnn", "gru"])
    quality_against_cost(page, summarise(directory))
    scales = [entry["spec"]["layer"][0]["encoding"]["x"]["scale"].get("type") for entry in page.charts.values()]
    assert scales == [None, "log", None]


def test_labels_without_a_cost_are_named(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=2)
    for run, record in runs_of(directory):
        if record.label == "gru":
            write(run, record.with_(parameters={"total": 5, "recurrent": 0}, throughput={}))
    body = quality_against_cost(Page(["rnn", "gru"]), summarise(directory))
    assert "Not drawn against recurrent parameters, as a number is missing: gru." in body
    assert "Not drawn against tokens/s, as a number is missing: gru." in body
    assert body.count('class="chart"') == 3
