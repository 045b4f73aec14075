"""Quality against cost: the headline metric against parameters and speed, with the noise of both.

A label is on the Pareto front if no other label is at least as good in both and better in one. The front is drawn only
if noise cannot change it: if the intervals of its labels overlap with none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance
from typing import NamedTuple

import scipy  # its parts are imported when they are first used
from markupsafe import Markup

from lightning_seq.report.dashboard.chart_style import (
    Spec,
    by_label,
    channel,
    chart,
    colour,
    focused,
    layer,
    shapes,
    single_value_domain,
    value_axis,
)
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.scale import scale
from lightning_seq.report.summary import Group, Row, Statistic, Summary

LOGARITHMIC = 10.0
"""How many times the least cost the greatest one must be for the axis to be logarithmic."""


MOST_NAMED = 3
"""The most pairs of labels that a note names."""


class Cost(NamedTuple):
    """A cost of a label. lower: whether less of it is better; measured: whether it differs between runs."""

    name: str
    title: str
    lower: bool
    measured: bool = False


class Mark(NamedTuple):
    """A mark of the chart. kind: `seed`, `mean`, or `front` for the means that the line joins.

    label is a position in the group's labels; the four ends are those of the intervals, equal to x and value without
    one; side is where the name of a label has room: left, right, or empty for nowhere.
    """

    kind: str
    label: int
    seed: int | None
    x: float
    value: float
    x_low: float
    x_high: float
    low: float
    high: float
    side: str = ""


COSTS = (
    Cost("total", "parameters", True),
    Cost("recurrent", "recurrent parameters", True),
    Cost("tokens_per_second", "tokens/s", False, measured=True),
)


def front(points: Sequence[tuple[float, float]], lower_x: bool, lower_y: bool) -> list[int]:
    """The positions of the points that no other point dominates, by x from low to high, then by y.

    A point dominates another where it is at least as good in both coordinates and better in one: of equal points
    all stay.
    """
    signed = [(x if lower_x else -x, y if lower_y else -y) for x, y in points]

    def dominated(mine: tuple[float, float]) -> bool:
        return any(other[0] <= mine[0] and other[1] <= mine[1] and other != mine for other in signed)

    kept = [index for index, mine in enumerate(signed) if not dominated(mine)]
    return sorted(kept, key=lambda index: points[index])


def half_widths(values: Sequence[Sequence[float]]) -> list[float | None]:
    """Half the 95 % interval of the mean of each label's seeds; None where no label has two seeds.

    As in the verdict, the variance of a label is never taken to be less than that of all labels.
    """
    squares = [variance(runs) if len(runs) > 1 else 0.0 for runs in values]
    freedom = [max(0, len(runs) - 1) for runs in values]
    total = sum(freedom)
    if not total:
        return [None] * len(values)
    pooled = sum(square * degrees for square, degrees in zip(squares, freedom, strict=True)) / total
    critical = float(scipy.stats.t.ppf(0.975, total))
    return [
        critical * math.sqrt(max(square, pooled) / len(runs)) if runs else None
        for square, runs in zip(squares, values, strict=True)
    ]


def marks(group: Group, cost: Cost) -> list[Mark]:
    """Seeds, then means (of perplexities, as in the verdict, means of logarithms); none without a positive cost."""
    measure = scale(group.headline or "")
    costs = [_cost(row, cost) for row in group.rows]
    metrics = [row.metric(group.headline) for row in group.rows]
    shown = [
        index
        for index, (x, value) in enumerate(zip(costs, metrics, strict=True))
        if value.mean is not None and x.mean is not None and x.mean > 0
    ]
    compared = {index: [*measure.all_compared(dict(enumerate(metrics[index].known))).values()] for index in shown}
    shown = [index for index in shown if compared[index]]
    rises = half_widths([compared[index] for index in shown])
    runs = half_widths([costs[index].known for index in shown]) if cost.measured else [0.0] * len(shown)
    seeds: list[Mark] = []
    means: list[Mark] = []
    for index, rise, run in zip(shown, rises, runs, strict=True):
        x, value = costs[index], metrics[index]
        place, level, up, along = x.mean or 0.0, fmean(compared[index]), rise or 0.0, run or 0.0
        left = max(place - along, min([place / 2, *x.known]))  # a logarithmic axis has no room for less than nothing
        low, high = (measure.original(level + sign * up) for sign in (-1, 1))
        ends = left, place + along, max(low, measure.limits[0]), min(high, measure.limits[1])
        means.append(Mark("mean", index, None, place, measure.original(level), *ends))
        for seed, number in value.values.items():
            paid = x.values.get(seed)
            if value.n > 1 and number is not None and paid is not None and paid > 0:
                seeds.append(Mark("seed", index, seed, paid, number, paid, paid, number, number))
    best = sorted(means, key=lambda mean: mean.value, reverse=not lower_is_better(group.headline or ""))
    sides = _sides([*seeds, *means], best, group.labels)
    return [*seeds, *(mean._replace(side=sides.get(mean.label, "")) for mean in means)]


def joined(group: Group, cost: Cost, drawn: Sequence[Mark]) -> tuple[list[Mark], str]:
    """The means that a line joins, or, if noise may change the front, none and the reason."""
    means = [mark for mark in drawn if mark.kind == "mean"]
    lower = lower_is_better(group.headline or "")
    best = [means[place] for place in front([(mean.x, mean.value) for mean in means], cost.lower, lower)]
    if len(means) < 2:
        return [], ""
    if half_widths([group.rows[mean.label].metric(group.headline).known for mean in means])[0] is None:
        return [], f"No front against {cost.title}: one seed each does not show how far seeds differ."
    near = [
        f"{group.labels[mean.label]} and {group.labels[other.label]}"
        for mean in best
        for other in means
        if other.label != mean.label and (other not in best or other.label > mean.label) and _overlap(mean, other, cost)
    ]
    if near:
        shown = "; ".join(near[:MOST_NAMED]) + (f"; {len(near) - MOST_NAMED} more" if len(near) > MOST_NAMED else "")
        return [], f"No front against {cost.title}: intervals overlap ({shown})."
    return [mean._replace(kind="front") for mean in best], ""


def _overlap(one: Mark, other: Mark, cost: Cost) -> bool:
    """Whether the intervals of two labels meet in the metric, or in a cost that is measured."""
    in_metric = one.low <= other.high and other.low <= one.high
    return in_metric or (cost.measured and one.x_low <= other.x_high and other.x_low <= one.x_high)


def _cost(row: Row, cost: Cost) -> Statistic:
    """By seed, though only speed differs between seeds."""
    if cost.measured:
        return row.tokens_per_second
    count = row.parameters.get(cost.name)
    return Statistic(dict.fromkeys(row.seeds, None if count is None else float(count)))


def _sides(drawn: list[Mark], named: list[Mark], labels: list[str]) -> dict[int, str]:
    """By label, the side of its mark on which a name covers no other one; those named first choose first.

    By the size of a narrow chart: in a wider one there is more room.
    """
    width, height, letter, line, longest = 250.0, 180.0, 6.2, 15.0, 170.0
    x_low, x_high = min((mark.x_low for mark in drawn), default=0.0), max((mark.x_high for mark in drawn), default=0.0)
    low, high = min((mark.low for mark in drawn), default=0.0), max((mark.high for mark in drawn), default=0.0)
    taken: list[tuple[float, float, float, float]] = []
    chosen = {}
    for mark in named:
        if is_logarithmic(x_low, x_high):
            x = width * math.log(mark.x / x_low) / math.log(x_high / x_low)
        else:
            x = width * (mark.x - x_low) / ((x_high - x_low) or 1.0)
        y = height * (mark.value - low) / ((high - low) or 1.0)
        size = min(longest, letter * len(labels[mark.label])) + 6
        for side, left in (("right", x), ("left", x - size)):
            box = (left, left + size, y, y + line)
            if left >= -30 and left + size <= width + 20 and all(_apart(box, other) for other in taken):
                taken.append(box)
                chosen[mark.label] = side
                break
    return chosen


def _apart(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[1] < other[0] or one[0] > other[1] or one[3] < other[2] or one[2] > other[3]


def is_logarithmic(low: float, high: float) -> bool:
    return low > 0 and high / low >= LOGARITHMIC


def quality_against_cost(page: Page, summary: Summary) -> Markup:
    """The charts of each data set that has results."""
    parts = of_groups(summary, lambda group: _group_charts(page, group))
    return page.section("Quality against cost", "cost", parts)


def _group_charts(page: Page, group: Group) -> Markup:
    if group.headline is None:
        return Markup()
    lower = lower_is_better(group.headline)
    cards, notes = [], []
    for cost in COSTS:
        if cost.measured and group.shared_machine:
            continue
        drawn = marks(group, cost)
        if not drawn:
            continue
        best, reason = joined(group, cost, drawn)
        drawn += best
        notes += [reason] if reason else []
        rows = [[float(f"{part:.6g}") if isinstance(part, float) else part for part in mark] for mark in drawn]
        title = f"{group.headline} against {cost.title}"
        spec = pareto_chart(group.labels, group.headline, cost, drawn)
        card = page.card(title, spec, "cost", Mark._fields, rows, {"label": group.labels}, title=title)
        cards.append((card, f"better: {'down' if lower else 'up'} and to the {'left' if cost.lower else 'right'}"))
        labels = {mark.label for mark in drawn}
        missing = [
            label for index, label in enumerate(group.labels) if index not in labels and label not in group.unchosen
        ]
        if missing:
            notes.append(f"Not drawn against {cost.title}, as a number is missing: {', '.join(missing)}.")
    if not cards:
        return Markup()
    if group.unchosen:
        unchosen = ", ".join(label for label in group.labels if label in group.unchosen)
        notes.append(f"Not drawn, as validation did not choose them and their {group.headline} is hidden: {unchosen}.")
    if group.shared_machine:
        held = ", ".join(row.label for row in group.rows if row.shared_machine and row.tokens_per_second.n)
        notes.append(f"No chart against tokens/s: other jobs or programs ran during the runs of {held}.")
    return draw("quality_against_cost", legend=page.legend(group.labels), cards=cards, notes=notes)


def pareto_chart(labels: list[str], metric: str, cost: Cost, drawn: Sequence[Mark]) -> Spec:
    """A mark for each label with its intervals, its seeds as faint dots, and the front, if any, as a line."""
    x_span = (min(mark.x_low for mark in drawn), max(mark.x_high for mark in drawn))
    y_span = (min(mark.low for mark in drawn), max(mark.high for mark in drawn))
    if is_logarithmic(*x_span):
        span: Spec = {"type": "log", "nice": False, "padding": 14}
    else:
        span = {"zero": False, "nice": True, **single_value_domain(x_span)}
    axis = {"grid": False, "format": "~s", "tickCount": 4, "labelOverlap": True}
    base = {"x": channel("x:Q", title=cost.title, scale=span, axis=axis), "y": value_axis("value:Q", y_span)}
    coloured = base | {"color": by_label(labels)}
    tooltip = [
        channel("label:N"),
        channel("seed:N"),
        channel("x:Q", title=cost.title, format=",.0f"),
        channel("value:Q", title=metric, format=".4~f"),
    ]
    dots = coloured | {"shape": shapes(labels), "tooltip": tooltip}
    bars = coloured | {"opacity": focused(0.8, 0.08)}
    down = {"y": channel("low:Q", title=None), "y2": {"field": "high"}}
    along = {"x": channel("x_low:Q", title=cost.title), "x2": {"field": "x_high"}}
    named = base | {"text": channel("label:N"), "color": colour("ink"), "opacity": focused(1, 0.15)}
    seed, mean, front = (f"datum.kind === '{kind}'" for kind in ("seed", "mean", "front"))
    steps = "step-after" if cost.lower else "step-before"
    faint = layer("point", dots | {"opacity": focused(0.6, 0.05)}, seed, size=22, filled=True)
    line = layer(
        "line", base | {"color": colour("muted"), "opacity": {"value": 0.7}}, front, interpolate=steps, strokeWidth=1.4
    )
    layers = [
        *([line] if any(mark.kind == "front" for mark in drawn) else []),
        *([faint] if any(mark.kind == "seed" for mark in drawn) else []),
        layer("rule", bars | down, mean, strokeWidth=1.3),
        layer("rule", bars | along, mean, strokeWidth=1.3),
        layer("point", dots | {"opacity": focused(1, 0.1)}, mean, size=70, filled=True),
        *(
            layer("text", named, mean, f"datum.side === '{side}'", align=align, dx=dx, dy=-9, fontSize=11,
                  limit={"expr": f"max(40, min(170, {room} + 2))"})
            for side, align, dx, room in (
                ("right", "left", 6, "width - scale('x', datum.x)"), ("left", "right", -6, "scale('x', datum.x)"),
            )
            if any(mark.side == side and mark.kind == "mean" for mark in drawn)
        ),
    ]  # fmt: skip
    return chart(layers, 240, f"{metric} against {cost.title}, a mark per label", "focus", "ink", "muted")
