"""The first screen: for each data set a sentence of advice and a forest plot of its labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple, Protocol

from markupsafe import Markup

from lightning_seq.report.advice import TEST_SETS, advice
from lightning_seq.report.dashboard.chart_style import (
    Spec,
    by_label,
    channel,
    chart,
    colour,
    layer,
    shapes,
    single_value_domain,
)
from lightning_seq.report.dashboard.page import Card, Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.fairness import unequal
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.scale import SUCCESSES, Scale, scale
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.verdict import Verdict
from lightning_seq.significance.compare import Pair

MOST_LABELS = 24
"""Of more labels in a plot, those with the best means are drawn."""

MOST_TIES = 8
"""With more groups of labels that are not told apart, none is drawn."""

_LINES = "split(replace(datum.label, regexp(',', 'g'), ',\\n'), '\\n')"
"""A label has a line for each of its settings."""

_LONG = 24
"""The caption does not repeat a longer label."""

_WIDE = 3.0
"""An interval is cut so many times the span of all runs from them: a plot has room for the runs."""


class Mark(NamedTuple):
    """A mark of the plot.

    kind:      `seed`, `mean`, `best` (the mean that intervals are measured from), `tie` (a bar from `label` to `last`)
               or `member` (a label of a tie).
    label:     a position in the group's labels, as `last`.
    low, high: of a mean, where the interval of its difference to the best label lies on the axis; None without one.
    column:    of a tie.
    text:      of a mean, the difference and the decision.
    """

    kind: str
    label: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    last: int | None = None
    column: int = 0
    text: str = ""


def result(page: Page, summary: Summary) -> Markup:
    """A card for each data set."""
    return page.section("Result", "result", of_groups(summary, lambda group: _card(page, group)))


def _card(page: Page, group: Group) -> Markup:
    if not group.best():
        sentence = "No run is done yet, so there is no result to show."
        if group.done:
            runs = "The run that is done has" if group.done == 1 else f"None of the {group.done} runs that are done has"
            sentence = f"{runs} {'no' if group.done == 1 else 'a'} finite {group.headline or 'result'}."
        return draw("result", sentence=sentence, warning="", cards=[], notes=[])
    parts = group.verdict.parts
    drawn = [group.verdict] if not parts else list(parts) if len(parts) <= TEST_SETS else []
    cards, notes = [], []
    for verdict in drawn:
        marks = forest(group, verdict)
        if not marks:
            continue
        cards.append(_plot(page, group, verdict, marks))
        notes += [text for text in _captions(group, verdict, marks) if text not in notes]
    return draw(
        "result",
        sentence=advice(group.verdict) or _single(group),
        warning=unequal(group.fairness) if group.verdict.pairs else "",
        cards=cards,
        notes=notes,
    )


def _single(group: Group) -> str:
    """Without anything to compare: the result of the only label."""
    row = group.best()[0]
    statistic = row.metric(group.headline)
    seeds = "one seed" if statistic.n == 1 else f"{statistic.n} seeds"
    return f"{row.label}: {group.headline} {mean_and_std(statistic, group.headline)}, from {seeds}."


def forest(group: Group, verdict: Verdict) -> list[Mark]:
    """Every mark of a plot, from the best mean down; of a single test set, the labels that it decides on."""
    metric = group.headline or ""
    measure = scale(metric)
    known = {row.label: row.metric(metric).known for row in group.rows}
    shown = [label for label, values in known.items() if values and (label in verdict.ranked or not verdict.test_set)]
    means = {label: fmean(map(measure.compared, known[label])) for label in shown}
    shown = [label for label in shown if math.isfinite(means[label])]
    shown.sort(key=lambda label: (means[label] if measure.lower_is_better else -means[label], label))
    shown = shown[:MOST_LABELS]
    if not shown:
        return []
    best = verdict.ranked[0] if verdict.pairs else None
    runs = [value for label in shown for value in known[label]]
    room = _WIDE * ((max(runs) - min(runs)) or abs(max(runs)) or 1.0)
    place = {label: index for index, label in enumerate(group.labels)}
    pairs = {frozenset((pair.better, pair.other)): pair for pair in verdict.pairs}
    marks = [Mark("seed", place[label], value) for label in shown if len(known[label]) > 1 for value in known[label]]
    for label in shown:
        pair = pairs.get(frozenset((str(best), label)))
        ends = _interval(measure, verdict, means[str(best)], pair) if pair and best in shown else None
        low, high = (
            (max(ends[0], min(runs) - room), min(ends[1], max(runs) + room)) if ends is not None else (None, None)
        )
        marks.append(
            Mark(
                "mean",
                place[label],
                measure.original(means[label]),
                low,
                high,
                text=_text(verdict, pair, label == best),
            )
        )
    if any(mark.low is not None for mark in marks):
        marks.append(Mark("best", place[str(best)], measure.original(means[str(best)])))
    found = ties([label for label in shown if label in verdict.ranked], verdict.pairs)
    for column, tied in enumerate(found if len(found) <= MOST_TIES else []):
        marks.append(Mark("tie", place[tied[0]], last=place[tied[-1]], column=column))
        marks += [Mark("member", place[label], column=column) for label in tied]
    return marks


class Compared(Protocol):
    """Two labels, told apart or not."""

    @property
    def better(self) -> str: ...
    @property
    def other(self) -> str: ...
    @property
    def told_apart(self) -> bool: ...


def ties(labels: Sequence[str], pairs: Sequence[Compared]) -> list[tuple[str, ...]]:
    """The largest groups of labels of which no two are told apart, each in the order of the labels.

    By insertion and absorption (Piepho 2004).
    """
    groups = {frozenset(labels)}
    for pair in pairs:
        if not pair.told_apart:
            continue
        for group in [group for group in groups if {pair.better, pair.other} <= group]:
            groups.remove(group)
            groups |= {group - {pair.better}, group - {pair.other}}
        groups = {group for group in groups if not any(group < other for other in groups)}
    found = [tuple(label for label in labels if label in group) for group in groups if len(group) > 1]
    return sorted(found, key=lambda group: [labels.index(label) for label in group])


def _interval(measure: Scale, verdict: Verdict, best: float, pair: Pair) -> tuple[float, float] | None:
    """Where the interval of the difference to the best label lies on the axis of the metric."""
    counted = verdict.scale is not None and verdict.scale.unit == SUCCESSES.unit
    if counted or not (math.isfinite(pair.low) and math.isfinite(pair.high)):
        return None
    ends = (pair.low, pair.high) if measure.lower_is_better else (-pair.high, -pair.low)
    low, high = (measure.original(best + end) for end in ends)
    return max(low, measure.limits[0]), min(high, measure.limits[1])


def _text(verdict: Verdict, pair: Pair | None, best: bool) -> str:
    if pair is None:
        return "the best mean" if best else ""
    difference, between = verdict.interval(pair)
    unit = verdict.scale.unit if verdict.scale else ""
    interval = f" ({between})" if between else ""
    return f"{difference} {unit}{interval}: {'told apart' if pair.told_apart else pair.decision.value}"


def _plot(page: Page, group: Group, verdict: Verdict, marks: Sequence[Mark]) -> Card:
    title = f"{verdict.test_set}: {group.headline}" if verdict.test_set else str(group.headline)
    rows = [[float(f"{part:.6g}") if isinstance(part, float) else part for part in mark] for mark in marks]
    names: Mapping[str, Sequence[str]] = {"label": group.labels, "last": group.labels}
    order = [group.labels[mark.label] for mark in marks if mark.kind == "mean"]
    spec = forest_plot(group.labels, order, str(group.headline), marks)
    return page.card(title, spec, "forest", Mark._fields, rows, names, title=f"{title} by label")


def _captions(group: Group, verdict: Verdict, marks: Sequence[Mark]) -> list[str]:
    """What the marks of a plot mean, as lines."""
    means = [mark for mark in marks if mark.kind == "mean"]
    better = "lower" if lower_is_better(group.headline or "") else "higher"
    center = "means of logarithms" if verdict.scale is not None and verdict.scale.log else "means"
    lines = [f"Large dots are {center}, small ones below them seeds; {better} is better, the best is on top."]
    if any(mark.low is not None for mark in means):
        first = verdict.ranked[0]
        best = "the best label" if verdict.test_set or len(first) > _LONG else first
        coverage = verdict.scale.coverage if verdict.scale else ""
        equal = f" or equal to it within {verdict.scale.equal()}" if verdict.scale and verdict.scale.rope else ""
        lines[0] += (
            f" A line is the simultaneous {coverage} interval of a label's difference to {best}, measured from the "
            f"broken line at {best}: a label whose line does not touch it is told apart from {best}{equal}."
        )
    elif verdict.scale and verdict.scale.unit == SUCCESSES.unit:
        lines[0] += (
            " Runs succeed or fail: the verdict compares the shares of successful runs, so means have no interval."
        )
    if any(mark.kind == "tie" for mark in marks):
        lines[0] += " Bars on the right join labels that are not told apart."
    shown = sum(row.metric(group.headline).n > 0 for row in group.rows)
    if not verdict.test_set and shown > MOST_LABELS:
        lines.append(f"Of {shown} labels, the {MOST_LABELS} best are drawn.")
    return lines


def forest_plot(
    labels: list[str], order: list[str], metric: str, marks: Sequence[Mark], span: tuple[float, float] | None = None
) -> Spec:
    """A row for each label with its seeds, mean and interval; ties as bars to the right of the plot.

    span: of the axis; by default that of the marks.
    """
    drawn = [value for mark in marks for value in (mark.value, mark.low, mark.high) if value is not None]
    domain = single_value_domain((min(drawn), max(drawn)))
    scale_x: Spec = {"domain": [*span]} if span else {"zero": False, "nice": True, **domain}
    x = channel("value:Q", title=None, scale=scale_x, axis={"tickCount": 5, "labelOverlap": True})
    lines = max(label.count(",") + 1 for label in order)
    axis = {"labelLimit": 170, "labelExpr": _LINES, "labelOffset": -6 * (lines - 1)}
    axis |= dict.fromkeys(("domain", "ticks", "grid"), False)
    y = channel("label:N", title=None, sort=None, scale={"domain": list(order)}, axis=axis)
    line = {"y": y, "color": by_label(labels)}
    coloured = line | {"shape": shapes(labels)}
    tooltip = [
        channel("label:N"),
        channel("value:Q", title=metric, format=".4~f"),
        channel("text:N", title="difference to the best"),
    ]
    aside = {"x": {"value": {"expr": "width + 12 + 9 * datum.column"}}, "y": y, "color": colour("ink")}

    def of(kind: str) -> str:
        return f"datum.kind === '{kind}'"

    layers = {
        "best": layer("rule", {"x": x, "color": colour("muted")}, of("best"), strokeDash=[4, 3]),
        "interval": layer(
            "rule", line | {"x": channel("low:Q", title=None, scale=scale_x), "x2": {"field": "high"}},
            of("mean"), "datum.low !== null", strokeWidth=2,
        ),
        "seed": layer("point", coloured | {"x": x}, of("seed"), size=24, filled=True, opacity=0.6, yOffset=9),
        "mean": layer("point", coloured | {"x": x, "tooltip": tooltip}, of("mean"), size=90, filled=True, opacity=1),
        "tie": layer("rule", aside | {"y2": {"field": "last"}}, of("tie"), strokeWidth=1.6),
        "member": layer("point", aside, of("member"), size=16, filled=True, opacity=1),
    }  # fmt: skip
    kinds = {mark.kind for mark in marks} | {"interval" for mark in marks if mark.low is not None}
    columns = max((mark.column for mark in marks if mark.kind == "tie"), default=-1) + 1
    drawn_layers = [each for kind, each in layers.items() if kind in kinds]
    spec = chart(
        drawn_layers, max(32, 13 * lines + 6) * len(order), f"{metric} of each label, the best on top", "ink", "muted"
    )
    return spec | {"padding": {"left": 5, "top": 5, "bottom": 5, "right": 5 + (12 + 9 * columns if columns else 0)}}
