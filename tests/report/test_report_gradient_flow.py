"""The way of the gradient, as a section of the dashboard: means over seeds, what is said, what a file may lack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from lightning_seq.records.gradient_flow import read_flow
from lightning_seq.records.record import runs_in
from lightning_seq.report.dashboard.gradient_flow import gradient_flow
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.summary import summarise
from tests.report.made_run import rewrite

Make = Callable[..., Path]
LABELS = ("rnn", "lstm")


def layer(slope: float, steps: int = 9, direction: str = "forward", **changes: Any) -> dict[str, Any]:
    """A gradient that falls by `slope` decimal places a step, from 0.01."""
    logs = [round(-2 - slope * distance, 4) for distance in range(steps)]
    length = next((distance for distance in range(steps) if slope * distance >= 2), None)
    return {
        "name": f"stack.layers.0.{direction}",
        "layer": 1,
        "direction": direction,
        "distances": list(range(steps)),
        "rows": [4] * steps,
        "norm": {"mean": logs, "low": logs, "high": logs},
        "tensors": None,
        "direct": None,
        "memory_length": length,
        "longest": steps - 1,
        "lags": [[0, 0], [1, 1], [2, 8]],
        "share": [0.7, 0.4, -0.1],
        "kept": None,
        "bound": 0.5,
        "matrices": {"U_a": {"radius": 0.4, "norm": 0.5}, "U_b": {"radius": 0.6, "norm": None}},
        "jacobian": {"distances": [0, 3], "norm": [0.5, 0.7]},
        **changes,
    }


def flow(slopes: list[float], **changes: Any) -> dict[str, Any]:
    return {
        "rows": 4,
        "looks": [
            {"epoch": epoch, "step": 10 * epoch, "layers": [layer(slope, **changes)]}
            for epoch, slope in enumerate(slopes)
        ],
    }


GATED = {
    "bound": None,
    "kept": {"a_step": 0.8, "product": [-0.1 * distance for distance in range(9)]},
    "jacobian": {
        "distances": [0],
        "norm": [1.1],
        "blocks": [[0.5, 0.6], [0.7, 0.8]],
        "terms": {"kept": 0.9, "f": 0.1, "i": 0.2, "g": 0.3},
    },
}


def with_flows(make_comparison: Make, directory: Path, flows: dict[tuple[str, int], Any], **given: Any) -> Path:
    """A comparison whose runs left these files."""
    make_comparison(directory, labels=LABELS, seeds=2, **given)
    for run, record in runs_in(directory):
        if (record.label, record.seed) in flows:
            rewrite(directory, run.name, "gradient_flow", json.dumps(flows[record.label, record.seed]))
    return directory


def shown(directory: Path) -> tuple[str, Page]:
    summary = summarise(directory)
    page = Page(list(dict.fromkeys(label for group in summary.groups for label in group.labels)))
    return gradient_flow(page, runs_in(directory), summary), page


def rows(page: Page, *columns: str) -> list[dict[str, list[list[Any]]]]:
    """Of each table with these columns its rows, by label."""
    found = []
    for table in page.tables.values():
        if table["columns"] == ["label", *columns]:
            names = table["names"]["label"]
            found.append({name: [row[1:] for row in table["rows"] if names[row[0]] == name] for name in names})
    return found


@pytest.fixture
def compared(make_comparison: Make, tmp_path: Path) -> Path:
    flows = {
        ("rnn", 1): flow([0.5, 0.4, 0.5, 0.5, 0.4]),
        ("rnn", 2): flow([0.5, 0.4, 0.7, 0.5, 0.6]),
        ("lstm", 1): flow([0.3, 0.3, 0.2, 0.2, 0.1], **GATED),
        ("lstm", 2): flow([0.3, 0.3, 0.2, 0.2, 0.3], **GATED),
    }
    return with_flows(make_comparison, tmp_path / "demo", flows)


def test_norms_are_geometric_means_relative_to_the_end(compared: Path) -> None:
    _, page = shown(compared)
    first, halfway, last = rows(page, "distance", "norm", "kind")
    measured = [row for row in first["rnn"] if row[2] == "measured"]
    assert measured[0][:2] == [0, 1.0]
    assert measured[2][:2] == [2, pytest.approx(0.1)]
    assert next(row for row in halfway["rnn"] if row[0] == 5)[1] == pytest.approx(1e-3, rel=1e-3)
    assert next(row for row in last["rnn"] if row[0] == 2)[1] == pytest.approx(0.1, rel=1e-3)
    bound = [row[:2] for row in last["rnn"] if row[2] == "bound"]
    assert bound[:3] == [[0, 1.0], [1, 0.5], [2, 0.25]]
    assert not [row for row in last["lstm"] if row[2] == "bound"]


def test_what_is_said(compared: Path) -> None:
    body, _ = shown(compared)
    assert "after the last epoch: rnn 4.5, lstm 7 in 1 of 2 seeds." in body
    assert "γ_w is the largest singular value" in body


def test_over_epochs(compared: Path) -> None:
    _, page = shown(compared)
    (memory,) = rows(page, "epoch", "memory", "text")
    assert memory["rnn"][0] == [0, 4.0, "4"]
    assert memory["rnn"][4] == [4, 4.5, "4.5"]
    assert memory["lstm"][4] == [4, 7.5, "at least 7.5"]
    (radius,) = rows(page, "epoch", "radius", "text")
    assert radius["rnn"][0] == [0, 0.6, "0.600"]


def test_shares_of_lags_and_what_gates_keep(compared: Path) -> None:
    body, page = shown(compared)
    (share,) = rows(page, "lag", "share")
    assert share["rnn"] == [[0, 0.7], [1, 1.1], [8, 1.0]]
    (kept,) = rows(page, "distance", "kept")
    assert kept["rnn"] == []
    assert kept["lstm"][5] == [5, pytest.approx(10**-0.5, rel=1e-3)]
    for said in ("<td>0.60</td>", "<td>0.80</td>", "<td>1.10</td>", "through f", "kept: diag(fₜ)"):
        assert said in body


def test_the_charts_are_charts(compared: Path) -> None:
    """Vega-Lite compiles each of them."""
    _, page = shown(compared)
    assert len(page.charts) == 7
    for entry in page.charts.values():
        spec = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", **entry["spec"], "width": 300}
        table = page.tables[entry["table"]]
        names = table["names"]["label"]
        values = [dict(zip(table["columns"], [names[row[0]], *row[1:]], strict=True)) for row in table["rows"]]
        picture = vl_convert.vegalite_to_svg({**spec, "datasets": {entry["table"]: values}})
        assert picture.count("<path") > 2
        assert "NaN" not in picture


def test_other_directions_and_ways(make_comparison: Make, tmp_path: Path) -> None:
    both = flow([0.4], direct=[-2 - 0.1 * distance for distance in range(9)])
    both["looks"][0]["layers"].insert(0, layer(0.2, direction="backward"))
    directory = with_flows(make_comparison, tmp_path / "demo", {("rnn", 1): both, ("lstm", 1): flow([0.3])})
    body, page = shown(directory)
    assert "Other layers, directions and paths" in body
    alone, backward, direct = rows(page, "distance", "norm", "kind")
    assert alone["rnn"][1][1] == pytest.approx(10**-0.4, rel=1e-3), "forward is what is compared"
    assert backward["rnn"][1][1] == pytest.approx(10**-0.2, rel=1e-3)
    assert direct["rnn"][1][1] == pytest.approx(10**-0.1, rel=1e-3)
    assert {row[2] for row in direct["rnn"]} == {"measured"}
    assert "Before training" not in body


def test_numbers_that_are_missing(make_comparison: Make, tmp_path: Path) -> None:
    """A gradient too small to be held, nothing to share, no Jacobian: what is there is shown."""
    held = flow([0.5, 0.5], kept=None, share=None, jacobian=None, bound=None, memory_length=None)
    norm = held["looks"][1]["layers"][0]["norm"]
    norm["mean"] = [*norm["mean"][:3], *[None] * 6]
    held["looks"][1]["layers"].append(
        {"name": "x", "layer": 2, "direction": "forward", "why": "there was <noise> in it"}
    )
    body, page = shown(with_flows(make_comparison, tmp_path / "demo", {("rnn", 1): held}))
    _, last = rows(page, "distance", "norm", "kind")
    assert [row[0] for row in last["rnn"]] == [0, 1, 2]
    assert rows(page, "lag", "share") == []
    assert "rnn: there was &lt;noise&gt; in it." in body


def test_nothing_to_look_at_is_said(make_comparison: Make, tmp_path: Path) -> None:
    reason = {"name": "x", "layer": 1, "direction": "forward", "why": "its output is not its state"}
    held = {"rows": 4, "looks": [{"epoch": 0, "step": 0, "layers": [reason]}]}
    body, page = shown(with_flows(make_comparison, tmp_path / "demo", {("rnn", 1): held}))
    assert "rnn: its output is not its state." in body
    assert page.charts == {}


def test_a_comparison_without(make_comparison: Make, tmp_path: Path) -> None:
    assert shown(make_comparison(tmp_path / "demo", labels=LABELS, seeds=1))[0] == ""


@pytest.mark.parametrize("text", ["{}", "[]", '{"looks": []}', '{"looks": [{"epoch": 0, "layers": [{}]}]}', "nothing"])
def test_a_file_of_another_form_is_a_note(make_comparison: Make, tmp_path: Path, text: str) -> None:
    directory = with_flows(make_comparison, tmp_path / "demo", {("rnn", 1): flow([0.5])})
    run = next(run for run, record in runs_in(directory) if (record.label, record.seed) == ("rnn", 1))
    rewrite(directory, run.name, "gradient_flow", text)
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        read_flow(run / "gradient_flow.json")
    body, _ = shown(directory)
    assert "rnn, seed 1: gradient_flow.json cannot be used" in body


def test_labels_are_escaped(make_comparison: Make, tmp_path: Path) -> None:
    attack = "<img src=x onerror=alert(1)>"
    make_comparison(tmp_path / "demo", labels=(attack,), seeds=1)
    (run, _), *_ = runs_in(tmp_path / "demo")
    rewrite(tmp_path / "demo", run.name, "gradient_flow", json.dumps(flow([0.5, 0.5, 0.5])))
    body, _ = shown(tmp_path / "demo")
    assert attack not in body
    assert "&lt;img" in body
