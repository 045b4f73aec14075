"""Predicted against true values, such as the remaining life of machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup

from lightning_seq.records.numbers import thin
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.chart_style import Spec, by_label, channel, chart, layer
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.predictions import EXAMPLE, read_columns
from lightning_seq.report.summary import Group, Summary

MOST = 1000
"""Values of a label that are shown, evenly over those in the order of the truth."""
MOST_COLUMNS, WIDTH, HEIGHT, GAP = 4, 230, 230, 20


def predicted_values(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """For each value that is predicted a chart with a panel for each label, of its first seed."""
    regressions = [run for run in runs if run[1].task == "regression"]
    return page.of_artifacts("Predicted and true values", "predictions", _read, regressions, summary, _group)


def _read(path: Path) -> dict[str, np.ndarray]:
    """`[N, 2]` of each value: the truth and the prediction, in the order of the truth."""
    table = read_columns(path, EXAMPLE, "value", "target", "prediction")
    if table is None:
        return {}
    values = np.array(table["value"].to_pylist())
    pairs = np.stack([table[name].to_numpy() for name in ("target", "prediction")], 1)
    return {str(name): pairs[values == name][pairs[values == name, 0].argsort(kind="stable")] for name in set(values)}


def _group(page: Page, group: Group, contents: list[tuple[Record, dict[str, np.ndarray]]]) -> Markup:
    first: dict[str, dict[str, np.ndarray]] = {}
    for record, content in sorted(contents, key=lambda item: item[0].seed):
        first.setdefault(record.label, content)
    labels = [label for label in group.labels if first.get(label)]
    cards = []
    for name in sorted({name for content in first.values() for name in content}):
        rows: list[list[float]] = []
        for label in labels:
            pairs = first[label].get(name, np.zeros((0, 2)))
            kept = thin(list(range(len(pairs))), MOST)
            rows += [[labels.index(label), *map(_rounded, pairs[place].tolist())] for place in kept]
        columns = ["label", "target", "prediction"]
        cards.append(page.card(name, _chart(labels, rows), "values", columns, rows, {"label": labels}))
    return draw("cards", cards=cards) if cards else Markup()


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _chart(labels: list[str], rows: list[list[float]]) -> Spec:
    ends = [min(min(row[1:]) for row in rows), max(max(row[1:]) for row in rows)] if rows else [0.0, 1.0]
    scale = {"domain": ends, "nice": True, "zero": False}
    base = {
        "x": channel("target:Q", title="true", scale=scale, axis={"tickCount": 5}),
        "y": channel("prediction:Q", title="predicted", scale=scale, axis={"tickCount": 5}),
    }
    tooltip = [channel("label:N"), channel("target:Q"), channel("prediction:Q")]
    diagonal = {"x": {"datum": ends[0]}, "y": {"datum": ends[0]}, "x2": {"datum": ends[1]}, "y2": {"datum": ends[1]}}
    layers = [
        layer("rule", diagonal | {"color": {"value": {"expr": "muted"}}}, strokeDash=[3, 3]),
        layer("circle", base | {"color": by_label(labels), "tooltip": tooltip}, size=22),
    ]
    about = "Predicted against true values of the test split, a panel for each label; on the line they are equal"
    parts = chart(layers, HEIGHT, about, "ink", "muted", width=WIDTH)
    header = {"title": None, "labelColor": {"expr": "ink"}, "labelFontSize": 13, "labelFontWeight": 600}
    return {
        "description": about,
        "params": parts["params"],
        "facet": channel("label:N", sort=labels, header=header),
        "columns": min(len(labels), MOST_COLUMNS),
        "spacing": GAP,
        "usermeta": {"panel": WIDTH + GAP, "margin": 70},
        "spec": {name: parts[name] for name in ("width", "height", "layer")},
    }
