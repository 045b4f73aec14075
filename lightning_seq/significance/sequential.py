"""A group-sequential plan: more seeds are run until every pair is decided, at an overall level of 5 %.

A verdict that is read after each new seed until it says *beats* is wrong far more often than its level. The plan fixes
the looks before the first run, and each look spends a part of the level (Lan & DeMets 1983, with the spending function
that resembles O'Brien & Fleming's boundaries). The parts add up (Bonferroni), so that the plan holds for any dependence
between looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import scipy

from lightning_seq.significance.simultaneous import ALPHA

FIRST = 3
"""Seeds before the first look."""

SMALLEST = 5e-4
"""The least level of a look: smaller tails cannot be told from 20,000 draws."""

_GROWTH = 1.5


@dataclass(frozen=True)
class Plan:
    """looks: numbers of seeds after which the verdict is read; levels: the part of the level that each look spends."""

    looks: tuple[int, ...]
    levels: tuple[float, ...]


def plan(most: int, first: int = FIRST) -> Plan:
    """Looks from `first` to `most` seeds, each with half as many seeds again as the one before.

    Raises ValueError unless 2 <= first <= most.
    """
    if not 2 <= first <= most:
        raise ValueError(f"expected 2 <= first <= most, got first={first} and most={most}")
    looks = [first]
    while looks[-1] < most:
        looks.append(min(most, max(looks[-1] + 1, round(_GROWTH * looks[-1]))))
    spent = [0.0, *(_spent(look / most) for look in looks)]
    levels = [max(SMALLEST, after - before) for before, after in pairwise(spent)]
    return Plan(tuple(looks), (*levels[:-1], ALPHA - sum(levels[:-1])))


def _spent(share: float) -> float:
    """The level spent at this share of the seeds."""
    z = float(scipy.special.ndtri(1 - ALPHA / 2))
    return 2 * float(scipy.special.ndtr(-z / math.sqrt(share)))
