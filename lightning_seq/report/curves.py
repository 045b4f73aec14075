"""Learning curves made ready to draw: a fractional epoch for each point, the means of labels, few enough points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from lightning_seq.records.numbers import number, thin
from lightning_seq.records.record import Record
from lightning_seq.report.headline import importance, rank

POINTS, LEAST_POINTS, MOST_POINTS = 200, 40, 9_000
"""The most points drawn for a run, the fewest if there are many runs, and about how many a chart has."""


class Point(NamedTuple):
    """`epoch` counts finished epochs, as a fraction inside one; `seconds` counts training only."""

    epoch: float
    seconds: float
    value: float


Curve = list[tuple[float | None, Point]]
"""Points with the optimiser step at which they were logged (None if unknown)."""


class CurveRow(NamedTuple):
    """A point of a run, or of a label's mean, which has no seed; `sd` is that of the values behind a mean.

    label is a position in the group's labels; step is None if it was not logged.
    """

    label: int
    seed: int | None
    step: float | None
    epoch: float
    seconds: float
    value: float
    sd: float | None


def metrics_to_draw(records: list[Record], headline: str | None) -> list[str]:
    """The curves of one data set worth a picture: the headline on the validation split, then the losses.

    Without such a curve, the most important metric replaces it. The loss on the validation
    split is left out if another metric equals it.
    """
    names = {name for record in records for name, curve in record.curves.items() if curve}
    order = importance(records)
    ranked = sorted((name for name in names if name.startswith("val/")), key=lambda name: rank(name, order))
    wanted = f"val/{headline.rpartition('/')[2]}" if headline else ""
    if wanted not in names or wanted == "val/loss":
        wanted = next((name for name in ranked if name != "val/loss"), "val/loss")
    losses = ["train/loss"] if wanted == "val/nll" else ["val/loss", "train/loss"]
    return [name for name in dict.fromkeys([wanted, *losses]) if name in names]


def points(record: Record, name: str, limit: int = POINTS) -> list[Point]:
    """At most `limit` points of a curve, the first and the last among them; those without a number are left out.

    Several points that carry the same epoch number are spread evenly over that epoch, so that a loss logged every
    few steps is not drawn as a vertical line.
    """
    return [point for _, point in thin(logged(record, name), limit)]


def logged(record: Record, name: str) -> Curve:
    """All points of a curve that have a number."""
    raw = [tuple(number(part) for part in point) for point in record.curves.get(name, []) if len(point) == 4]
    counts = Counter(epoch for _, epoch, _, _ in raw)
    seen: Counter[float | None] = Counter()
    result = []
    for step, epoch, seconds, value in raw:
        seen[epoch] += 1
        if epoch is None or seconds is None or value is None:
            continue
        result.append((step, Point(epoch - 1 + seen[epoch] / counts[epoch], seconds, value)))
    return result


def band(curves: Sequence[Curve]) -> list[tuple[float | None, Point, float]]:
    """The mean of several runs at each epoch that all of them reached, and the standard deviation of their values.

    The deviation is that of a sample (n - 1 in the denominator). Steps and seconds are averaged too: the mean against
    time says when the average run reached it. Empty for fewer than two runs.
    """
    if len(curves) < 2:
        return []
    by_epoch = [{round(point.epoch, 6): (step, point) for step, point in curve} for curve in curves]
    result = []
    for epoch in sorted(set.intersection(*(set(epochs) for epochs in by_epoch))):
        points = [epochs[epoch] for epochs in by_epoch]
        steps = [step for step, _ in points if step is not None]
        values = [point.value for _, point in points]
        mean = Point(epoch, fmean(point.seconds for _, point in points), fmean(values))
        result.append((fmean(steps) if len(steps) == len(points) else None, mean, stdev(values)))
    return result


def curve_rows(records: Sequence[Record], labels: Sequence[str], name: str, limit: int = POINTS) -> list[CurveRow]:
    """One metric of every run and the mean of each label's finished ones, at most `limit` points of each.

    Unfinished runs are not in the mean: it would end where the first of them stopped.
    """
    rows: list[CurveRow] = []
    for index, label in enumerate(labels):
        curves = [(record, logged(record, name)) for record in records if record.label == label]
        for record, curve in curves:
            rows += [_row(index, record.seed, step, point, None) for step, point in thin(curve, limit)]
        finished = [curve for record, curve in curves if curve and record.status == "done"]
        rows += [_row(index, None, *mean) for mean in thin(band(finished), limit)]
    return rows


def points_of_a_run(runs: int) -> int:
    """How many points each of so many runs keeps."""
    return max(LEAST_POINTS, min(POINTS, MOST_POINTS // max(1, runs)))


def _row(label: int, seed: int | None, step: float | None, point: Point, sd: float | None) -> CurveRow:
    epoch, seconds, value = map(five_figures, point)
    step, sd = (None if part is None else five_figures(part) for part in (step, sd))
    return CurveRow(label, seed, step, epoch, seconds, value, sd)


def five_figures(value: float) -> float:
    """The number on five figures; a whole one has no decimal point."""
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() else short
