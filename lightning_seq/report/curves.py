"""Learning curves made ready to draw: a fractional epoch for each point, thinned, with the mean over seeds."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import NamedTuple, TypeVar

from lightning_seq.record import Record
from lightning_seq.report.headline import importance, rank
from lightning_seq.report.summary import number

T = TypeVar("T")
POINTS = 200


class Point(NamedTuple):
    """`epoch` counts finished epochs, as a fraction inside one; `seconds` counts training only."""

    epoch: float
    seconds: float
    value: float


class Row(NamedTuple):
    """A point with the position of its label and its seed; the seed is None where it is a mean over seeds."""

    label: int
    seed: int | None
    epoch: float
    seconds: float
    value: float


def metrics_to_draw(records: list[Record], headline: str | None) -> list[str]:
    """The curves of one data set worth a picture: the headline on the validation split, then the losses.

    Where there is no such curve, the most important metric there is stands in its place. The loss on the validation
    split is left out where it is there by another name.
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
    raw = [tuple(number(part) for part in point) for point in record.curves.get(name, []) if len(point) == 4]
    counts = Counter(epoch for _, epoch, _, _ in raw)
    seen: Counter[float | None] = Counter()
    result = []
    for _, epoch, seconds, value in raw:
        seen[epoch] += 1
        if epoch is None or seconds is None or value is None:
            continue
        result.append(Point(epoch - 1 + seen[epoch] / counts[epoch], seconds, value))
    return thin(result, limit)


def thin(curve: list[T], limit: int) -> list[T]:
    """Evenly spaced items of a long list, both ends kept."""
    if len(curve) <= limit:
        return curve
    last = len(curve) - 1
    return [curve[round(index * last / (limit - 1))] for index in range(limit)]


def mean_curve(curves: list[list[Point]]) -> list[Point]:
    """The mean over seeds at each epoch that every seed has; empty for fewer than two seeds.

    Seconds are averaged as well: the mean curve against time says when the average run was there.
    """
    if len(curves) < 2:
        return []
    by_epoch = [{round(point.epoch, 6): point for point in curve} for curve in curves]
    shared = sorted(set.intersection(*(set(epochs) for epochs in by_epoch)))
    return [
        Point(
            epoch,
            fmean(curve[epoch].seconds for curve in by_epoch),
            fmean(curve[epoch].value for curve in by_epoch),
        )
        for epoch in shared
    ]


def table(records: list[Record], labels: list[str], name: str) -> list[Row]:
    """The rows of one metric, single runs and means.

    The mean is over runs that are done: one that stopped early would cut it short.
    """
    rows: list[Row] = []
    for index, label in enumerate(labels):
        mine = [(record, points(record, name)) for record in records if record.label == label]
        for record, curve in mine:
            rows += [Row(index, record.seed, *map(_short, point)) for point in curve]
        whole = [curve for record, curve in mine if curve and record.status == "done"]
        rows += [Row(index, None, *map(_short, point)) for point in mean_curve(whole)]
    return rows


def _short(value: float) -> float:
    return float(f"{value:.5g}")
