"""The test examples that a run records for the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN, EXTREME = 40, 6
"""Test examples of all runs; a run's worst, and as many of its best."""


def shown_examples(order: Sequence[int]) -> list[tuple[int, bool]]:
    """The shown ones of N examples, the worst first, each with whether all runs show it.

    All runs show the same examples, spread over the split; each run also shows its worst and its best.

    order: 0 to N - 1, the worst first.
    """
    count = len(order)
    shared = {place * count // SHOWN for place in range(SHOWN)} if count > SHOWN else set(range(count))
    kept = shared | set(order[:EXTREME]) | set(order[-EXTREME:])
    return [(place, place in shared) for place in order if place in kept]
