"""Learning curves made ready to draw: a fractional epoch for each point, thinned."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from lightning_seq.records.numbers import number, thin
from lightning_seq.records.record import Record
from lightning_seq.report.headline import importance, rank

POINTS = 200


class Point(NamedTuple):
    """`epoch` counts finished epochs, as a fraction inside one; `seconds` counts training only."""

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
    return [point for _, point in thin(logged(record, name), limit)]


def logged(record: Record, name: str) -> list[tuple[float | None, Point]]:
    """As `points`, all of them, each behind the optimiser's step at which it was logged."""
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
