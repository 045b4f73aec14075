"""Runs that succeed or fail: the metric has two humps, and what labels are compared by is the share of successes.

Means of such runs are far from normal: two lucky runs against two unlucky ones look like a certain difference. The
counts of successes are compared by an exact test instead, unconditional on the total (Santner & Snell 1980).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy

_CLEAR = 5.0
"""The gap between the humps is at least so many standard deviations inside the humps."""

_VERY_CLEAR = 20.0
_GRID = np.linspace(-1.0, 1.0, 201).tolist()
_NUISANCE = 41


def between_humps(scores: Mapping[str, Mapping[int, float]]) -> float | None:
    """The middle of the gap between failed and successful runs; None where the runs form no two such groups.

    scores: by label and seed. Both groups hold at least two runs, the gap between them is wide, and some label has
    runs in both. With two labels of two seeds each, a wide gap between the labels is enough: chance alone gives it
    in one comparison of eight.
    """
    values = np.sort([value for by_seed in scores.values() for value in by_seed.values()])
    if len(values) < 4:
        return None
    gap, place = max((high - low, index) for index, (low, high) in enumerate(pairwise(values.tolist()), 1))
    groups = values[:place], values[place:]
    inside = float(np.sqrt(sum(np.square(group - group.mean()).sum() for group in groups) / max(len(values) - 2, 1)))
    middle = float(values[place - 1] + gap / 2)
    both = any(min(by_seed.values()) < middle < max(by_seed.values()) for by_seed in scores.values() if by_seed)
    wide = gap > 0.25 * max(abs(float(values[0])), abs(float(values[-1])))
    if not wide or min(map(len, groups)) < 2:
        return None
    if both and gap > _CLEAR * inside:
        return middle
    return middle if len(values) == 4 and len(scores) == 2 and gap > _VERY_CLEAR * inside else None


@lru_cache(maxsize=4096)
def compare_counts(first: int, of_first: int, second: int, of_second: int, level: float) -> tuple[float, float, float]:
    """Two-sided p, and the ends of the 1 - `level` interval of the difference of two shares of successes.

    p is that of the difference of the observed shares, at the worst common chance of success; the interval holds every
    difference that such a test does not reject on either side.
    """
    shares = np.arange(of_first + 1)[:, None] / of_first - np.arange(of_second + 1) / of_second
    seen = first / of_first - second / of_second
    above, below = shares >= seen - 1e-12, shares <= seen + 1e-12
    sizes = (of_first, of_second)
    at_zero = min(_largest_chance(0.0, sizes, event) for event in (above, below))
    # The chance of a larger difference grows with the true difference, that of a smaller one falls.
    low = bisect_left(_GRID, True, key=lambda delta: _largest_chance(delta, sizes, above) > level / 2)
    high = bisect_left(_GRID, True, key=lambda delta: _largest_chance(delta, sizes, below) <= level / 2)
    return min(1.0, 2 * at_zero), float(_GRID[low]), float(_GRID[high - 1])


def _largest_chance(delta: float, sizes: tuple[int, int], event: np.ndarray) -> float:
    """The largest chance of a set of tables over all chances of success that differ by `delta`."""
    second = np.linspace(max(0.0, -delta), min(1.0, 1.0 - delta), _NUISANCE)
    first, other = (
        scipy.stats.binom.pmf(np.arange(size + 1), size, np.clip(chance, 0.0, 1.0)[:, None])
        for size, chance in zip(sizes, (second + delta, second), strict=True)
    )
    return float(np.einsum("ni,ij,nj->n", first, event, other).max())
