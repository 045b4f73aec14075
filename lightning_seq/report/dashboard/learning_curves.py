"""Learning curves as a section of the dashboard: each run, and the mean of a label's runs with a band around it."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import NamedTuple

from lightning_seq.records.numbers import thin
from lightning_seq.records.record import Record
from lightning_seq.report.curves import POINTS, Point, logged, metrics_to_draw
from lightning_seq.report.dashboard import charts
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import grouped, note, section
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary

ABOUT = (
    "Thin lines are seeds; the strong line is the mean of the finished ones, the band one standard deviation to each "
    "side of it. Choose a label to highlight it."
)
DRAWN, LEAST = 9_000, 40
"""About how many points a chart has room for, and how many a run keeps where there are many runs."""

AXES = {"step": "step", "epoch": "epoch", "seconds": "seconds of training"}

Curve = list[tuple[float | None, Point]]


class Row(NamedTuple):
    """A point of a run, or of a label's mean, which has no seed; `sd` is that of the values behind a mean.

    label is a position in the group's labels; step is None where it was not logged.
    """

    label: int
    seed: int | None
    step: float | None
    epoch: float
    seconds: float
    value: float
    sd: float | None


def band(curves: list[Curve]) -> list[tuple[float | None, Point, float]]:
    """The mean of several runs at each epoch that all of them reached, and the standard deviation of their values.

    That of a sample (n - 1 in the denominator). Steps and seconds are averaged too: the mean against time says when
    the average run was there. Empty for fewer than two runs.
    """
    if len(curves) < 2:
        return []
    by_epoch = [{round(point.epoch, 6): (step, point) for step, point in curve} for curve in curves]
    result = []
    for epoch in sorted(set.intersection(*(set(epochs) for epochs in by_epoch))):
        found = [epochs[epoch] for epochs in by_epoch]
        steps = [step for step, _ in found if step is not None]
        values = [point.value for _, point in found]
        mean = Point(epoch, fmean(point.seconds for _, point in found), fmean(values))
        result.append((fmean(steps) if len(steps) == len(found) else None, mean, stdev(values)))
    return result


def rows(records: list[Record], labels: list[str], name: str, limit: int = POINTS) -> list[Row]:
    """One metric of every run and the mean of each label's finished ones, at most `limit` points of each.

    A run that stopped early would cut the mean short: unfinished ones are not in it.
    """
    found: list[Row] = []
    for index, label in enumerate(labels):
        mine = [(record, logged(record, name)) for record in records if record.label == label]
        for record, curve in mine:
            found += [_row(index, record.seed, step, point, None) for step, point in thin(curve, limit)]
        whole = [curve for record, curve in mine if curve and record.status == "done"]
        found += [_row(index, None, *mean) for mean in thin(band(whole), limit)]
    return found


def points_of_a_run(runs: int) -> int:
    """How many points each of so many runs keeps."""
    return max(LEAST, min(POINTS, DRAWN // max(1, runs)))


def learning(page: Page, records: list[Record], summary: Summary) -> str:
    """The headline on validation and the losses, against steps, epochs or seconds, as the reader chooses."""
    parts = [
        (group, _group_curves(page, [record for record in records if group.holds(record)], group))
        for group in summary.groups
    ]
    body = grouped(parts, len(parts) > 1)
    if not body:
        return section("Learning curves", note("No run has recorded a curve yet."), anchor="curves")
    return section("Learning curves", body, ABOUT, "curves")


def _group_curves(page: Page, records: list[Record], group: Group) -> str:
    limit = points_of_a_run(len(records))
    cards: list[str] = []
    offered: dict[str, None] = {}
    longest = 0
    for name in metrics_to_draw(records, group.headline):
        drawn = rows(records, group.labels, name, limit)
        if not drawn:
            continue
        length = max(len(logged(record, name)) for record in records)
        longest = max(longest, length)
        table = page.table("curve", list(Row._fields), drawn, {"label": group.labels})
        spans = {axis: _span([getattr(row, axis) for row in drawn]) for axis in AXES}
        known = {axis: title for axis, title in AXES.items() if spans[axis] is not None}
        offered |= dict.fromkeys(known)
        values = [row.value + sign * (row.sd or 0.0) for row in drawn for sign in (-1, 1)]
        chart, choice = charts.curve_chart(
            table,
            group.labels,
            name,
            {axis: (spans[axis] or (0.0, 1.0), title) for axis, title in known.items()},
            (min(values), max(values)),
            any(row.seed is None for row in drawn),
            few=length <= 30 and len(records) <= 60,
        )
        cards.append(f'<div class="card"><h4>{html(name)}</h4>{page.chart(chart, name, choice, table=table)}</div>')
    if not cards:
        return ""
    cut = f"Of up to {longest} points of a run, {limit} are drawn." if longest > limit else ""
    bar = f'<div class="bar">{page.legend(group.labels)}{page.choice(list(offered))}</div>'
    return f'{bar}<div class="pair">{"".join(cards)}</div>{note(cut) if cut else ""}'


def _span(values: list[float | None]) -> tuple[float, float] | None:
    """From the least to the greatest; None where any is missing."""
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if len(known) == len(values) else None


def _row(label: int, seed: int | None, step: float | None, point: Point, sd: float | None) -> Row:
    return Row(label, seed, *(None if part is None else _short(part) for part in (step, *point, sd)))  # type: ignore[arg-type]


def _short(value: float) -> float:
    """Five figures, and no decimal point where there is nothing behind it."""
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() else short
