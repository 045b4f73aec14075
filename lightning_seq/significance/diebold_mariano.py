"""The test of Diebold and Mariano: whether two forecasts of one series of origins differ in their loss."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.special

LEAST_ORIGINS = 8


class DieboldMariano(NamedTuple):
    """difference: the mean loss of the first minus that of the second. statistic, p: two-sided; nan where no variance
    can be estimated. lags: whose autocovariances count."""

    difference: float
    statistic: float
    p: float
    lags: int


def diebold_mariano(first: np.ndarray, second: np.ndarray, overlap: int = 0) -> DieboldMariano:
    """first, second: `[N]`, losses at the same origins, in order of time.

    The variance of the mean difference is that of Newey & West (1987), with as many lags as windows overlap and at
    least ⌊4 (N/100)^(2/9)⌋, so that serial dependence counts; the statistic has the correction for few origins of
    Harvey, Leybourne & Newbold (1997) and N - 1 degrees of freedom.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"losses of shapes {first.shape} and {second.shape}: expected the same origins")
    d, N = first - second, len(first)
    lags = min(max(overlap, int(4 * (N / 100) ** (2 / 9))), max(N - 2, 0))
    mean = float(d.mean()) if N else math.nan
    if N < LEAST_ORIGINS:
        return DieboldMariano(mean, math.nan, math.nan, lags)
    centred = d - mean
    long_run = float(centred @ centred) / N
    for lag in range(1, lags + 1):
        long_run += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) / N
    if long_run <= (1e-9 * mean) ** 2:
        return DieboldMariano(mean, math.nan, 1.0 if mean == 0 else math.nan, lags)
    horizon = lags + 1
    correction = math.sqrt(max((N + 1 - 2 * horizon + horizon * (horizon - 1) / N) / N, 1 / N))
    statistic = correction * mean / math.sqrt(long_run / N)
    p = 2 * float(scipy.special.stdtr(N - 1, -abs(statistic)))
    return DieboldMariano(mean, statistic, p, lags)
