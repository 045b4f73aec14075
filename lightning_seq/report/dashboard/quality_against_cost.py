"""Quality against cost: the headline metric against parameters and speed, and the labels that no other beats in both.

A label is on the Pareto front where no other label is at least as good in both and better in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

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
from lightning_seq.report.summary import Group, Row, Statistic, Summary
from lightning_seq.report.tables import SHARED

LOGARITHMIC = 10.0
"""How many times the least cost the greatest one must be for the axis to be logarithmic."""


class Cost(NamedTuple):
    """A cost of a label. lower: whether less of it is better."""

    name: str
    title: str
    lower: bool


class Mark(NamedTuple):
    """A mark of the chart. kind: `seed`, `mean`, or `front` for the means that the line joins.

    label is a position in the group's labels; the four ends are those of the bars, equal to x and value without a
    standard deviation; side is where the name of a label on the front has room: left, right, or empty for nowhere.
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
    side: str


COSTS = (
    Cost("total", "parameters", True),
    Cost("recurrent", "recurrent parameters", True),
    Cost("tokens_per_second", "tokens/s", False),
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


def marks(group: Group, cost: Cost) -> list[Mark]:
    """Every mark of a chart, seeds before means; labels without a result or a positive cost have none."""
    seeds: list[Mark] = []
    means: list[Mark] = []
    for index, row in enumerate(group.rows):
        value, x = row.metric(group.headline), _cost(row, cost)
        if value.mean is None or x.mean is None or x.mean <= 0:
            continue
        means.append(_mean(index, x, value))
        for seed, number in value.values.items():
            paid = x.values.get(seed)
            if value.n > 1 and number is not None and paid is not None and paid > 0:
                seeds.append(Mark("seed", index, seed, paid, number, paid, paid, number, number, ""))
    lower = lower_is_better(group.headline or "")
    best = [means[place] for place in front([(mean.x, mean.value) for mean in means], cost.lower, lower)]
    sides = _sides([*seeds, *means], sorted(best, key=lambda mean: mean.value, reverse=not lower), group.labels)
    joined = [mean._replace(kind="front", side=sides.get(mean.label, "")) for mean in best]
    return [*seeds, *means, *joined]


def _mean(index: int, x: Statistic, value: Statistic) -> Mark:
    place, level = x.mean or 0.0, value.mean or 0.0
    x_low, x_high = place - (x.std or 0.0), place + (x.std or 0.0)
    x_low = max(x_low, min([place / 2, *x.known]))  # a logarithmic axis has no room for less than nothing
    low, high = level - (value.std or 0.0), level + (value.std or 0.0)
    return Mark("mean", index, None, place, level, x_low, x_high, low, high, "")


def _cost(row: Row, cost: Cost) -> Statistic:
    """By seed, though only speed differs between seeds."""
    if cost.name == "tokens_per_second":
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
            x = width * log(mark.x / x_low) / log(x_high / x_low)
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
        drawn = marks(group, cost)
        if not drawn:
            continue
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
        notes.append(f"{SHARED}: speeds of such runs do not compare.")
    return draw("quality_against_cost", legend=page.legend(group.labels), cards=cards, notes=notes)


def pareto_chart(labels: list[str], metric: str, cost: Cost, drawn: Sequence[Mark]) -> Spec:
    """A mark for each label with bars of a standard deviation, its seeds as faint dots, and the front as a line."""
    x_span = (min(mark.x_low for mark in drawn), max(mark.x_high for mark in drawn))
    y_span = (min(mark.low for mark in drawn), max(mark.high for mark in drawn))
    if is_logarithmic(*x_span):
        scale: Spec = {"type": "log", "nice": False, "padding": 14}
    else:
        scale = {"zero": False, "nice": True, **single_value_domain(x_span)}
    axis = {"grid": False, "format": "~s", "tickCount": 4, "labelOverlap": True}
    base = {"x": channel("x:Q", title=cost.title, scale=scale, axis=axis), "y": value_axis("value:Q", y_span)}
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
    faint = layer("point", dots | {"opacity": focused(0.35, 0.05)}, seed, size=22, filled=True)
    layers = [
        layer("line", base | {"color": colour("muted"), "opacity": {"value": 0.7}}, front,
              interpolate=steps, strokeWidth=1.4),
        *([faint] if any(mark.kind == "seed" for mark in drawn) else []),
        layer("rule", bars | down, mean, strokeWidth=1.3),
        layer("rule", bars | along, mean, strokeWidth=1.3),
        layer("point", dots | {"opacity": focused(1, 0.1)}, mean, size=70, filled=True),
        *(
            layer("text", named, front, f"datum.side === '{side}'", align=align, dx=dx, dy=-9, fontSize=11, limit=170)
            for side, align, dx in (("right", "left", 6), ("left", "right", -6))
            if any(mark.side == side for mark in drawn)
        ),
    ]  # fmt: skip
    return chart(layers, 240, f"{metric} against {cost.title}, a mark per label", "focus", "ink", "muted")
