"""Which labels no other one beats in quality and cost, and where their marks and names stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import variance

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as some

from lightning_seq.records.record import read, write
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.quality_against_cost import (
    COSTS,
    front,
    half_widths,
    is_logarithmic,
    joined,
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


def test_an_interval_takes_no_variance_below_that_of_all_labels() -> None:
    wide, narrow, single = [0.70, 0.74, 0.78], [0.80, 0.80, 0.83], [0.9]
    pooled = (variance(wide) + variance(narrow)) / 2
    t = scipy.stats.t.ppf(0.975, 4)
    assert half_widths([wide, narrow, single]) == pytest.approx(
        [t * (variance(wide) / 3) ** 0.5, t * (pooled / 3) ** 0.5, t * pooled**0.5]
    )
    assert half_widths([[0.7], [0.8]]) == [None, None]


def test_each_label_is_its_mean_with_its_interval_and_its_seeds(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo")).groups
    _, recurrent, speed = COSTS
    drawn = marks(group, recurrent)
    assert [row.kind for row in drawn] == ["seed"] * 12 + ["mean"] * 4
    means = [row for row in drawn if row.kind == "mean"]
    values = [row.metric("test/accuracy") for row in group.rows]
    assert [(mean.x, mean.value) for mean in means] == [
        (count, value.mean) for count, value in zip((33_024, 117_248, 88_320, 59_392), values, strict=True)
    ]
    assert [mean.high - mean.value for mean in means] == pytest.approx(half_widths([value.known for value in values]))
    assert all(mean.x_low == mean.x == mean.x_high for mean in means)
    speeds = [row.tokens_per_second.known for row in group.rows]
    fast = [row for row in marks(group, speed) if row.kind == "mean"]
    assert [mean.x_high - mean.x for mean in fast] == pytest.approx(half_widths(speeds))


def test_a_front_is_drawn_only_if_no_interval_overlaps(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo")).groups
    _, recurrent, speed = COSTS
    best, reason = joined(group, recurrent, marks(group, recurrent))
    assert (best, reason) == ([], "No front against recurrent parameters: intervals overlap (gru and lstm).")
    (group,) = summarise(make_comparison(tmp_path / "two", labels=("rnn", "gru"))).groups
    best, reason = joined(group, recurrent, marks(group, recurrent))
    assert ([group.labels[mark.label] for mark in best], reason) == (["rnn", "gru"], "")
    drawn = marks(group, speed)
    assert joined(group, speed, drawn)[1] == ""
    slower = [mark._replace(x_low=1.0, x_high=1e6) if mark.kind == "mean" else mark for mark in drawn]
    assert joined(group, speed, slower) == ([], "No front against tokens/s: intervals overlap (rnn and gru).")
    (group,) = summarise(make_comparison(tmp_path / "one", labels=("rnn", "gru"), seeds=1)).groups
    best, reason = joined(group, recurrent, marks(group, recurrent))
    assert (best, reason) == (
        [], "No front against recurrent parameters: one seed each does not show how far seeds differ.",
    )  # fmt: skip


def test_perplexities_have_intervals_of_their_logarithms(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"))
    for run, record in runs_of(directory):
        write(run, record.with_(metrics={"test/perplexity": 90.0 + record.seed}))
    (group,) = summarise(directory).groups
    (mean, _) = [mark for mark in marks(group, COSTS[0]) if mark.kind == "mean"]
    assert mean.value == pytest.approx((91 * 92 * 93) ** (1 / 3))
    assert mean.high / mean.value == pytest.approx(mean.value / mean.low)


def test_speeds_under_other_programs_are_told_and_not_drawn(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"))
    record = read(directory / "gru-seed2")
    write(directory / "gru-seed2", record.with_(jobs=2))
    page = Page(["rnn", "gru"])
    body = quality_against_cost(page, summarise(directory))
    assert [entry["title"] for entry in page.charts.values()] == [
        "test/accuracy against parameters", "test/accuracy against recurrent parameters",
    ]  # fmt: skip
    assert "No chart against tokens/s: other jobs or programs ran during the runs of gru." in body


def test_names_cover_no_other(make_comparison: Make, tmp_path: Path) -> None:
    """Equal costs put all names in one place: one of each side has room."""
    labels = tuple(f"a label of some length {number}" for number in range(6))
    directory = make_comparison(tmp_path / "demo", labels=labels, seeds=1)
    for run, record in runs_of(directory):
        write(run, record.with_(metrics={"test/accuracy": 0.7}))
    (group,) = summarise(directory).groups
    sides = [row.side for row in marks(group, COSTS[1]) if row.kind == "mean"]
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
