"""Quality against cost: the headline metric against parameters and speed, and which labels no other one beats in both.

A label is on the Pareto front where no other label is at least as good in both and better in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

from lightning_seq.records.record import Record
from lightning_seq.report.dashboard import charts
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import grouped, note, section
from lightning_seq.report.escape import html
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import Group, Row, Statistic, Summary
from lightning_seq.report.tables import SHARED

ABOUT = (
    "Each mark is a label's mean over its seeds, the bars are one standard deviation to each side, faint dots are the "
    "seeds. The stepped line joins the labels that no other label beats in both; their names stand beside them where "
    "there is room. Choose a label to highlight it."
)
LOGARITHMIC = 10.0
"""How many times the least cost the greatest one must be for the axis to be logarithmic."""


class Cost(NamedTuple):
    """What a label costs. lower: whether less of it is better."""

    name: str
    title: str
    lower: bool


class Place(NamedTuple):
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


def places(group: Group, cost: Cost) -> list[Place]:
    """Every mark of a chart, seeds before means; labels without a result or a positive cost have none."""
    seeds: list[Place] = []
    means: list[Place] = []
    for index, row in enumerate(group.rows):
        value, x = row.metric(group.headline), _cost(row, cost)
        if value.mean is None or x.mean is None or x.mean <= 0:
            continue
        means.append(_mean(index, x, value))
        for seed, number in value.values.items():
            paid = x.values.get(seed)
            if value.n > 1 and number is not None and paid is not None and paid > 0:
                seeds.append(Place("seed", index, seed, paid, number, paid, paid, number, number, ""))
    lower = lower_is_better(group.headline or "")
    best = [means[place] for place in front([(mean.x, mean.value) for mean in means], cost.lower, lower)]
    sides = _sides([*seeds, *means], sorted(best, key=lambda mean: mean.value, reverse=not lower), group.labels)
    joined = [mean._replace(kind="front", side=sides.get(mean.label, "")) for mean in best]
    return [*seeds, *means, *joined]


def _mean(index: int, x: Statistic, value: Statistic) -> Place:
    place, level = x.mean or 0.0, value.mean or 0.0
    x_low, x_high = place - (x.std or 0.0), place + (x.std or 0.0)
    x_low = max(x_low, min([place / 2, *x.known]))  # a logarithmic axis has no room for less than nothing
    low, high = level - (value.std or 0.0), level + (value.std or 0.0)
    return Place("mean", index, None, place, level, x_low, x_high, low, high, "")


def _cost(row: Row, cost: Cost) -> Statistic:
    """By seed, though only speed differs between seeds."""
    if cost.name == "tokens_per_second":
        return row.tokens_per_second
    count = row.parameters.get(cost.name)
    return Statistic(dict.fromkeys(row.seeds, None if count is None else float(count)))


def _sides(drawn: list[Place], named: list[Place], labels: list[str]) -> dict[int, str]:
    """By label, the side of its mark on which a name covers no other one; those named first choose first.

    By the size of a narrow chart: in a wider one there is more room.
    """
    width, height, letter, line, longest = 250.0, 180.0, 6.2, 15.0, 170.0
    x_low, x_high = min((each.x_low for each in drawn), default=0.0), max((each.x_high for each in drawn), default=0.0)
    low, high = min((each.low for each in drawn), default=0.0), max((each.high for each in drawn), default=0.0)
    taken: list[tuple[float, float, float, float]] = []
    chosen = {}
    for each in named:
        if is_logarithmic(x_low, x_high):
            x = width * log(each.x / x_low) / log(x_high / x_low)
        else:
            x = width * (each.x - x_low) / ((x_high - x_low) or 1.0)
        y = height * (each.value - low) / ((high - low) or 1.0)
        size = min(longest, letter * len(labels[each.label])) + 6
        for side, left in (("right", x), ("left", x - size)):
            box = (left, left + size, y, y + line)
            if left >= -30 and left + size <= width + 20 and all(_apart(box, other) for other in taken):
                taken.append(box)
                chosen[each.label] = side
                break
    return chosen


def _apart(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[1] < other[0] or one[0] > other[1] or one[3] < other[2] or one[2] > other[3]


def is_logarithmic(low: float, high: float) -> bool:
    return low > 0 and high / low >= LOGARITHMIC


def pareto(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """The charts of each data set that has results."""
    body = grouped([(group, _group_charts(page, group)) for group in summary.groups], len(summary.groups) > 1)
    return section("Quality against cost", body, ABOUT, "cost") if body else ""


def _group_charts(page: Page, group: Group) -> str:
    if group.headline is None:
        return ""
    lower = lower_is_better(group.headline)
    cards, left_out = [], []
    for cost in COSTS:
        rows = places(group, cost)
        if not rows:
            continue
        plain = [[_short(part) if isinstance(part, float) else part for part in row] for row in rows]
        table = page.table("cost", list(Place._fields), plain, {"label": group.labels})
        spans = {
            "x": (min(row.x_low for row in rows), max(row.x_high for row in rows)),
            "value": (min(row.low for row in rows), max(row.high for row in rows)),
        }
        logarithmic = is_logarithmic(*spans["x"])
        chart = charts.pareto_chart(
            table,
            group.labels,
            group.headline,
            cost.title,
            cost.lower,
            logarithmic,
            spans,
            seeds=any(row.kind == "seed" for row in rows),
            sides={row.side for row in rows if row.side},
        )
        better = f"better: {'down' if lower else 'up'} and to the {'left' if cost.lower else 'right'}"
        title = f"{group.headline} against {cost.title}"
        cards.append(
            f'<div class="card"><h4>{html(title)} <small>{better}</small></h4>'
            f"{page.chart(chart, title=title, table=table)}</div>"
        )
        drawn = {row.label for row in rows}
        hidden = {index for index, label in enumerate(group.labels) if label in group.unchosen}
        missing = [label for index, label in enumerate(group.labels) if index not in drawn | hidden]
        if missing:
            left_out.append(f"Not against {cost.title}, for want of a number: {', '.join(missing)}.")
    if not cards:
        return ""
    if group.unchosen:
        unchosen = ", ".join(label for label in group.labels if label in group.unchosen)
        left_out.append(
            f"Not drawn, as validation did not choose them and their {group.headline} is hidden: {unchosen}."
        )
    notes = [*left_out, *([f"{SHARED}: speeds of such runs do not compare."] if group.shared_machine else [])]
    return f'{page.legend(group.labels)}<div class="three">{"".join(cards)}</div>' + "".join(map(note, notes))


def _short(value: float) -> float:
    return float(f"{value:.6g}")
