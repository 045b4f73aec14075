"""Numbers of records, and curves of few points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

GREATEST = 1e150
"""Numbers from here on count as infinite: standard deviations need their squares."""


def number(value: object) -> float | None:
    """`value` as a float; None if it is no number, not finite, or so large that its square is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < GREATEST else None


T = TypeVar("T")


def thin(curve: list[T], limit: int) -> list[T]:
    """Evenly spaced items of a long list, both ends kept."""
    if len(curve) <= limit:
        return curve
    last = len(curve) - 1
    return [curve[round(index * last / (limit - 1))] for index in range(limit)]


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most `most` items, evenly spaced; a single one is the last."""
    return list(items[-1:]) if most == 1 else thin(list(items), most)
