"""Effect sizes over runs, and the best that a number of trials is expected to give.

Sources: Cliff 1993; del Barrio et al. 2018; Dror et al. 2019; Dodge et al. 2019; Tang et al. 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy  # its parts are imported when they are first used

ALPHA = 0.05


def cliffs_delta(first: Sequence[float], second: Sequence[float]) -> float:
    """P(first > second) - P(first < second) over all pairs of a run of each, -1 to 1 (Cliff 1993).

    Not Cohen's d: with a few seeds its standard deviation is little more than a guess, and pairing makes d as large as
    one likes; delta says how often one run beats another, for any distribution.
    """
    return float(np.sign(np.subtract.outer(np.asarray(first, float), np.asarray(second, float))).mean())


def almost_stochastic_order(
    first: Sequence[float], second: Sequence[float], resamples: int = 1000, seed: int = 0
) -> float:
    """The upper 95 % bound of how far `first` is from being stochastically larger than `second`, 0 to 1.

    eps = int_{F^-1 < G^-1} (F^-1 - G^-1)^2 dt / int (F^-1 - G^-1)^2 dt, with a bound from the bootstrap's variance
    (del Barrio et al. 2018; Dror et al. 2019, sec. 3). Below 0.5 `first` is almost stochastically larger; 0 is wholly,
    1 is what the reverse is. With fewer than about five seeds the bound is rough.
    """
    F, G = np.sort(np.asarray(first, float)), np.sort(np.asarray(second, float))
    n, m = len(F), len(G)
    cuts = np.union1d(np.arange(1, n + 1) / n, np.arange(1, m + 1) / m)
    cuts = cuts[np.diff(cuts, prepend=0.0) > 1e-12]
    widths = np.diff(cuts, prepend=0.0)
    middles = cuts - widths / 2
    at_F, at_G = (middles * n).astype(int), (middles * m).astype(int)

    def violation(sorted_F: np.ndarray, sorted_G: np.ndarray) -> np.ndarray:
        gaps = sorted_F[..., at_F] - sorted_G[..., at_G]
        whole = np.square(gaps) @ widths
        return np.where(whole > 0, np.square(np.minimum(gaps, 0)) @ widths / np.where(whole > 0, whole, 1), 0.5)

    random = np.random.default_rng([seed, n, m])
    drawn = [np.sort(values[random.integers(len(values), size=(resamples, len(values)))], 1) for values in (F, G)]
    found = float(violation(F, G))
    return min(1.0, max(0.0, found - float(violation(*drawn).std()) * float(scipy.special.ndtri(ALPHA))))


def expected_best_with_replacement(values: Sequence[float], n: int, mode: str = "max") -> float:
    """What the best of n draws with replacement from these N values is expected to be (Dodge et al. 2019, sec. 3).

        P(best of n ≤ v) = P̂(V ≤ v)^n
        E[best of n] = Σ_{i=1}^{N} v_(i) · ((i/N)^n - ((i-1)/N)^n),  v_(1) … v_(N) from the worst to the best

    `mode` is `max` or `min`. Raises ValueError for n below 1 and for no values.
    """
    if n < 1 or not values:
        raise ValueError(f"n is {n}, of {len(values)} values: expected at least 1 of each")
    ranked = sorted(values, reverse=mode == "min")
    size = len(ranked)
    return sum(value * ((i / size) ** n - ((i - 1) / size) ** n) for i, value in enumerate(ranked, 1))


def expected_best(values: Sequence[float], n: int, mode: str = "max") -> float:
    """What the best of n trials is expected to be, of N that were made (Dodge et al. 2019, "Show your work", sec. 3).

        E[best of n] = Σ_{i=n}^{N} C(i-1, n-1) / C(N, n) · v_(i),  v_(1) … v_(N) from the worst to the best

    It is the mean over all sets of n of the N trials: unbiased, where the paper's estimate draws them with replacement
    and is too low (Tang et al. 2020, "Showing your work doesn't always work"). `mode` is `max` or `min`.

    Raises ValueError for an n that is not from 1 to N.
    """
    if not 1 <= n <= len(values):
        raise ValueError(f"n is {n}, expected 1 to {len(values)}, the number of trials")
    ranked = sorted(values, reverse=mode == "min")
    sets = math.comb(len(values), n)
    return math.fsum(math.comb(i - 1, n - 1) / sets * ranked[i - 1] for i in range(n, len(values) + 1))
