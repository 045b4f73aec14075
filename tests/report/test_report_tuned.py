"""The page of a tuned comparison: expected best of n trials, the trials, the point that was taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.records.tuning import Tunings
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.parallel_coordinates import BELOW, axes, parallel_coordinates
from lightning_seq.report.dashboard.tuning import tuning
from lightning_seq.report.summary import runs_of, summarise_runs
from lightning_seq.significance.effect_sizes import expected_best_with_replacement

Make = Callable[..., Path]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=4), st.integers(1, 4), st.sampled_from(["max", "min"]))
def test_the_expected_best_is_the_mean_over_all_draws_with_replacement(values: list[float], n: int, mode: str) -> None:
    best = max if mode == "max" else min
    every = [best(drawn) for drawn in product(values, repeat=n)]
    assert expected_best_with_replacement(values, n, mode) == pytest.approx(sum(every) / len(every), abs=1e-9)


def test_the_expected_best_as_in_the_papers_equation() -> None:
    """P(best of n = v) = P(V ≤ v)^n - P(V < v)^n, ties and all."""
    values = [0.3, 0.9, 0.6, 0.6]
    for n in (1, 2, 5):
        total = 0.0
        for value in set(values):
            at_most, below = (np.mean([v <= value for v in values]), np.mean([v < value for v in values]))
            total += value * (at_most**n - below**n)
        assert expected_best_with_replacement(values, n) == pytest.approx(total)
    assert expected_best_with_replacement(values, 1, "min") == pytest.approx(np.mean(values))
    for wrong in ([], values):
        with pytest.raises(ValueError, match="expected at least 1"):
            expected_best_with_replacement(wrong, 0 if wrong else 1)


def tune(directory: Path, **changes: Any) -> Path:
    """Three trials of rnn and gru; the second of gru diverged."""
    points = [{"optimizer.lr": rate, "task.dropout": rate * 10} for rate in (0.001, 0.02, 0.0305)]
    entry = {
        "metric": "val/accuracy", "mode": "max", "points": points, "values": [0.5, 0.8, 0.65], "chosen": 2,
        "expected_best": [0.65, 0.75, 0.8],
    }  # fmt: skip
    gru = entry | {"values": [0.6, None, 0.7], "chosen": 3, "expected_best": [0.6333, 0.66667, 0.7]} | changes
    (directory / "tune").mkdir()
    held = {"seed": 1, "trials": 3, "space": {}, "entries": {"rnn": entry, "gru": gru}}
    (directory / "tune" / "tune.json").write_text(json.dumps(held))
    return directory


def page_of(directory: Path) -> tuple[str, Page]:
    runs = runs_of(directory)
    page = Page(list(dict.fromkeys(record.label for _, record in runs)))
    return tuning(page, runs, summarise_runs(directory, runs)), page


def test_the_page_draws_what_was_recorded(make_comparison: Make, tmp_path: Path) -> None:
    html, page = page_of(tune(make_comparison(tmp_path / "tuned", labels=("rnn", "gru"), seeds=1)))
    chart, *pictures = page.charts.values()
    table = page.tables[chart["table"]]
    assert table["columns"] == ["label", "n", "value", "paper"]
    assert [row[:3] for row in table["rows"][:3]] == [[0, 1, 0.65], [0, 2, 0.75], [0, 3, 0.8]]
    paper = [expected_best_with_replacement([0.6, 0.6, 0.7], n) for n in (1, 2, 3)]  # the worst, where one diverged
    assert [row[3] for row in table["rows"][3:]] == pytest.approx(paper, rel=1e-4)
    assert len(pictures) == html.count("<details") == 2
    assert "diverged" in html
    assert html.count("<small>taken</small>") == 2
    assert "0.800<small>taken</small>" in html
    assert "0.700<small>taken</small>" in html
    assert "2 of 3" in html
    assert "0.0305" in html
    assert 'data-value="0.02"' in html


def test_a_comparison_that_was_not_tuned_has_no_such_page(make_comparison: Make, tmp_path: Path) -> None:
    assert page_of(make_comparison(tmp_path / "plain", labels=("rnn",), seeds=1))[0] == ""


@pytest.mark.parametrize(
    "changes", [{"values": [0.1]}, {"chosen": 2}, {"chosen": 9}, {"mode": "best"}, {"points": 3}, {"values": None}]
)
def test_a_broken_file_is_a_note(make_comparison: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    html, page = page_of(tune(make_comparison(tmp_path / "tuned", labels=("rnn", "gru"), seeds=1), **changes))
    assert "tune.json cannot be used" in html
    assert page.charts == {}


def test_names_are_escaped(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "tuned", labels=("rnn", "gru"), seeds=1)
    attack = "<img src=x>"
    html, _ = page_of(tune(directory, metric=attack, points=[{attack: 0.1}] * 3))
    assert "&lt;img" in html
    assert "<img" not in html


def test_axes_are_logarithmic_where_the_search_was_and_better_is_on_top(tmp_path: Path) -> None:
    points = [{"optimizer.lr": rate, "task.dropout": rate} for rate in (0.001, 0.01, 0.1)]
    entry = {
        "metric": "val/loss", "mode": "min", "points": points, "values": [1.5, 0.5, None], "chosen": 2,
        "expected_best": [1.2, 0.8, 0.5],
    }  # fmt: skip
    plain = {
        "seed": 1, "trials": 3, "entries": {"rnn": entry},
        "space": {"optimizer.lr": [0.001, 0.1, "log"], "task.dropout": [0.0, 0.6]},
    }  # fmt: skip
    (tmp_path / "tune.json").write_text(json.dumps(plain))
    held = Tunings.read(tmp_path / "tune.json")
    assert held.to_plain() == plain
    rate, dropout, loss = axes(held.entries)
    assert rate.place(0.01) == pytest.approx(0.5)
    assert rate.ticks() == pytest.approx([0.001, 0.01, 0.1])
    assert dropout.place(0.01) == pytest.approx(9 / 99)
    assert (loss.place(0.5), loss.place(1.5)) == (1.0, 0.0)
    page = Page(["rnn"])
    card = parallel_coordinates(page, held.entries[0], [rate, dropout, loss])
    rows = page.tables[page.charts[card.chart]["table"]]["rows"]
    assert rows[:3] == [[1, 0, 0, 0.001, 0, 1.5], [1, 1, 1, 0.001, 0, 1.5], [1, 2, 2, 1.5, 0, 1.5]]
    assert rows[-1] == [3, 2, 2, None, BELOW, None]


def test_the_picture_of_trials_is_valid_vega_lite(make_comparison: Make, tmp_path: Path) -> None:
    _, page = page_of(tune(make_comparison(tmp_path / "tuned", labels=("rnn", "gru"), seeds=1)))
    for chart in page.charts.values():
        alt.vegalite.schema.core.Root.validate(chart["spec"])
