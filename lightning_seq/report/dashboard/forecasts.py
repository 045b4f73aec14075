"""Forecasts as a section of the dashboard: fans, error by step, calibration, the hardest series, and the test of
Diebold and Mariano."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.forecasts import Forecasts
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.report.dashboard.chart_style import (
    Spec,
    by_label,
    channel,
    chart,
    colour,
    dashes,
    focused,
    layer,
    line_chart,
)
from lightning_seq.report.dashboard.page import Card, Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import one_line
from lightning_seq.report.summary import Group, Summary

MOST_LISTED = 8
"""Series of the table of the hardest ones."""

ByLabel = dict[str, Forecasts]


def forecasts(page: Page, tested: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """The forecasts of the first seed of each label. tested: the runs whose test results are shown."""
    found, wrong = read_artifacts(first_runs(tested, "forecasts"), "forecasts", Forecasts.read)

    def part(group: Group) -> Markup:
        mine = {record.label: content for record, content in found if group.holds(record)}
        shown = {label: mine[label] for label in [label for label in group.labels if label in mine][:MOST_LABELS]}
        return _group(page, shown) if shown else Markup()

    return page.section("Forecasts", "forecasts", of_groups(summary, part), wrong=wrong)


def _group(page: Page, mine: ByLabel) -> Markup:
    labels = list(mine)
    names = {"label": labels}
    fans = [_fan(page, labels, mine, number) for number in range(min(len(one.windows) for one in mine.values()))]
    steps = [[index, step, value] for index, one in enumerate(mine.values()) for step, value in enumerate(one.steps, 1)]
    cards = []
    if max(len(one.steps) for one in mine.values()) > 1:
        title = "error by step ahead (MASE)"
        spec = line_chart(
            labels,
            channel("step:Q", title="steps ahead", axis={"grid": False, "format": "d"}),
            channel("mase:Q", title=None, axis={"tickCount": 5}),
            [channel("step:Q"), channel("mase:Q", format=".3f")],
            title,
        )
        cards.append(page.card(title, spec, "horizons", ["label", "step", "mase"], steps, names, title=title))
    levels = [[index, one.level, one.share] for index, content in enumerate(mine.values()) for one in content.levels]
    if levels:
        title = "calibration of the quantiles"
        ends = {"domain": [0, 1]}
        exact = layer(
            "rule",
            {"x": {"datum": 0}, "y": {"datum": 0}, "x2": {"datum": 1}, "y2": {"datum": 1}, "color": colour("muted")},
            strokeDash=[2, 4],
        )
        spec = line_chart(
            labels,
            channel("level:Q", title="level of the quantile", scale=ends, axis={"grid": False, "tickCount": 5}),
            channel("share:Q", title=None, scale=ends, axis={"tickCount": 5}),
            [channel("level:Q"), channel("share:Q", title="share of the values below", format=".3f")],
            title,
            below=[exact],
            colours=("muted",),
        )
        cards.append(page.card(title, spec, "levels", ["label", "level", "share"], levels, names, title=title))
    return draw(
        "forecasts",
        legend=page.legend(labels),
        labels=labels,
        fans=fans,
        cards=cards,
        hardest=hardest(mine),
        pairs=pairs(mine),
        interval=next(iter(mine.values())).interval,
    )


def _fan(page: Page, labels: list[str], mine: ByLabel, number: int) -> Card:
    """The past and the truth in ink, the forecast of each label in its colour, with its interval."""
    first = next(iter(mine.values())).windows[number]
    rows: list[list[float | int | str | None]] = []
    for index, value in enumerate([*first.past, *first.target]):
        if value is not None:
            rows.append([0, "true", index - len(first.past) + 1, value, None, None])
    for place, content in enumerate(mine.values()):
        window = content.windows[number]
        for step, value in enumerate(window.prediction):
            low, high = (part[step] if part else None for part in (window.low, window.high))
            rows.append([place, "forecast", step + 1, value, low, high])
    title = f"{one_line(first.series)} from {one_line(first.origin)}"
    columns = ["label", "kind", "step", "value", "low", "high"]
    return page.card(title, fan_chart(labels, title), "fan", columns, rows, {"label": labels}, title=title)


def fan_chart(labels: list[str], title: str) -> Spec:
    x = channel("step:Q", title="steps from the origin", axis={"grid": False, "format": "d"})
    scale = {"zero": False, "nice": True}
    y = channel("value:Q", title=None, scale=scale, axis={"tickCount": 5})
    ours = "datum.kind === 'forecast'"
    colours = by_label(labels)
    tooltip = [channel("label:N"), channel("step:Q"), channel("value:Q", format=".4g")]
    band = {"x": x, "y": channel("low:Q", title=None, scale=scale), "y2": {"field": "high"}, "color": colours}
    line = {"x": x, "y": y, "color": colours, "strokeDash": dashes(labels), "opacity": focused(1, 0.1)}
    layers = [
        layer("rule", {"x": {"datum": 0.5}, "color": colour("muted")}, strokeDash=[2, 4]),
        layer("area", band | {"opacity": focused(0.3, 0.03, 0.12)}, ours, "datum.low !== null"),
        layer("line", {"x": x, "y": y, "color": colour("ink")}, "datum.kind === 'true'", strokeWidth=1.4),
        layer("line", line, ours, strokeWidth=2, strokeJoin="round"),
        layer("circle", line | {"opacity": focused(0.8, 0.1), "tooltip": tooltip}, ours, size=14),
    ]
    return chart(layers, 220, f"{title}: the past, the truth and the forecast of each label", "focus", "ink", "muted")


def hardest(mine: Mapping[str, Forecasts]) -> list[tuple[str, list[float | None]]]:
    """The series with the greatest mean error over the labels, with that of each label."""
    errors = {label: {one.name: one.mase for one in content.series} for label, content in mine.items()}
    names = dict.fromkeys(name for known in errors.values() for name in known)
    if len(names) < 2:
        return []
    ranked = sorted(
        names, key=lambda name: -float(np.mean([known[name] for known in errors.values() if name in known]))
    )
    return [(name, [known.get(name) for known in errors.values()]) for name in ranked[:MOST_LISTED]]


def pairs(mine: Mapping[str, Forecasts]) -> list[tuple[str, str, str, str, str, int]]:
    """Of each two labels with the same origins: the difference of MASE, the statistic, p after Holm, and the lags."""
    from lightning_seq.significance.compare import holm  # imports scipy
    from lightning_seq.significance.diebold_mariano import diebold_mariano

    made = []
    for one, other in combinations(mine, 2):
        first, second = mine[one].origins, mine[other].origins
        if [origin.name for origin in first] != [origin.name for origin in second]:
            continue
        losses, others = (np.array([origin.mase for origin in origins]) for origins in (first, second))
        found = diebold_mariano(losses, others, mine[one].overlap)
        if not math.isnan(found.p):
            made.append((one, other, found))
    adjusted = holm([found.p for _, _, found in made])
    return [
        (one, other, f"{found.difference:+.3f}", f"{found.statistic:.2f}", f"{p:.3g}", found.lags)
        for (one, other, found), p in zip(made, adjusted, strict=True)
    ]
