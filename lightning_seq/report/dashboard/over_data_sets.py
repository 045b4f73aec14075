"""The labels over several data sets: mean ranks with bars that join ties, performance profiles, and both tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.report.dashboard.chart_style import (
    Spec,
    by_label,
    channel,
    chart,
    dashes,
    focused,
    layer,
    single_value_domain,
)
from lightning_seq.report.dashboard.page import Card, Heading, Page
from lightning_seq.report.dashboard.result import MOST_LABELS, MOST_TIES, Mark, forest_plot, ties
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.over_data_sets import OverDataSets
from lightning_seq.report.over_data_sets_tables import label_table, pair_table
from lightning_seq.report.summary import Summary

Table = tuple[list[Heading], list[list[tuple[str, Plain]]]]
"""Headings, and cells as text with the value that sorts them."""


def over_data_sets(page: Page, summary: Summary) -> Markup:
    """The section; empty without two data sets that have labels in common."""
    over = summary.over
    if over is None:
        return Markup()
    names = [row.name for row in over.labels]
    page.labels += [name for name in names if name not in page.labels]  # a legend refers to them by their positions
    body = draw(
        "over_data_sets",
        over=over,
        names=names,
        legend=page.legend(names),
        cards=[_ranks(page, over, names), _profiles(page, over, names)],
        drawn=min(len(names), MOST_LABELS),
        tables=[_sortable(*label_table(over), _of_labels(over)), _sortable(*pair_table(over), _of_pairs(over))],
    )
    return page.section("Over data sets", "over-data-sets", body=body)


def _sortable(head: Sequence[str], rows: Sequence[Sequence[str]], values: Sequence[Sequence[Plain]]) -> Table:
    kinds = ["text" if isinstance(value, str) else "number" for value in values[0]]
    cells = [list(zip(row, mine, strict=True)) for row, mine in zip(rows, values, strict=True)]
    return [Heading(name, kind) for name, kind in zip(head, kinds, strict=True)], cells


def _of_labels(over: OverDataSets) -> list[list[Plain]]:
    return [[row.name, row.mean_rank, row.middle.value, _known(row.middle.low), *row.ranks] for row in over.labels]


def _of_pairs(over: OverDataSets) -> list[list[Plain]]:
    return [
        [
            pair.better,
            pair.other,
            pair.improvement.value,
            _known(pair.improvement.low),
            pair.p,
            "beats" if pair.told_apart else "not decided",
        ]
        for pair in over.pairs
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ranks(page: Page, over: OverDataSets, names: list[str]) -> Card:
    """A critical-difference diagram, one row for each label: its ranks as small dots, their mean as a large one."""
    labels = list(enumerate(over.labels))[:MOST_LABELS]
    marks = [Mark("seed", place, rank) for place, row in labels for rank in row.ranks]
    marks += [
        Mark("mean", place, row.mean_rank, text="ranks " + ", ".join(f"{rank:g}" for rank in row.ranks))
        for place, row in labels
    ]
    found = ties(names[:MOST_LABELS], over.pairs)
    for column, tied in enumerate(found if len(found) <= MOST_TIES else []):
        marks.append(Mark("tie", names.index(tied[0]), last=names.index(tied[-1]), column=column))
        marks += [Mark("member", names.index(label), column=column) for label in tied]
    spec = forest_plot(names, [row.name for _, row in labels], "mean rank", marks, (0.8, len(names) + 0.2))
    columns = {"label": names, "last": names}
    return page.card("mean rank", spec, "ranks", Mark._fields, [list(mark) for mark in marks], columns, "mean ranks")


def _profiles(page: Page, over: OverDataSets, names: list[str]) -> Card:
    """The share of runs above each score, with pointwise intervals of the bootstrap."""
    rows: list[Plain] = [
        [place, round(threshold, 4), point.value, _known(point.low), _known(point.high)]
        for place, row in enumerate(over.labels)
        for threshold, point in zip(over.thresholds, row.profile, strict=True)
    ]
    several = any(math.isfinite(point.low) for row in over.labels for point in row.profile)
    spec = profile_chart(names, (over.thresholds[0], over.thresholds[-1]), several)
    columns = ("label", "score", "share", "low", "high")
    return page.card("share of runs above a score", spec, "profile", columns, rows, {"label": names}, "profiles")


def profile_chart(labels: Sequence[str], span: tuple[float, float], bands: bool) -> Spec:
    """A line for each label, in a band if there are intervals; further up is better."""
    scale: Spec = {"zero": False, "nice": False, **single_value_domain(span)}
    x = channel("score:Q", title="score (0: baseline, 1: best possible)", scale=scale, axis={"grid": False})
    shares = channel("share:Q", title=None, scale={"domain": [0, 1]}, axis={"tickCount": 5})
    base = {"x": x, "y": shares, "color": by_label(labels)}
    tooltip = [channel("label:N"), *(channel(f"{name}:Q", format=".2f") for name in ("score", "share", "low", "high"))]
    ends = {"y": channel("low:Q", title=None), "y2": {"field": "high"}, "opacity": focused(0.16, 0.02, 0.08)}
    line = base | {"strokeDash": dashes(labels), "opacity": focused(1, 0.1), "tooltip": tooltip}
    layers = [
        *([layer("area", base | ends, "datum.low !== null", line=False)] if bands else []),
        layer("line", line, strokeWidth=2, strokeJoin="round"),
    ]
    return chart(layers, 240, "Share of runs with a score above each value, one colour per label", "focus")
