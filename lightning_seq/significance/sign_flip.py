"""The sign-flip test of paired differences (Fisher 1935), exact on a lattice."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import scipy

_ENUMERATED = 14
"""Up to so many non-zero differences, all flips are enumerated."""

_LARGEST_SUM = 1 << 20
_DIVISORS = range(1, 25)


def sign_flip(differences: np.ndarray) -> float:
    """Two-sided p of paired differences `[n]` whose signs are random under the null hypothesis; 1 if all are zero.

    Exact for up to 14 non-zero differences and for differences on a lattice (of right and wrong answers); otherwise
    the saddlepoint approximation of the tail (Lugannani & Rice 1980; Robinson 1982).
    """
    sizes, total = np.abs(differences[differences != 0.0]), abs(float(differences.sum()))
    n = len(sizes)
    if n == 0:
        return 1.0
    if n <= _ENUMERATED:
        sums = np.array(list(product((1.0, -1.0), repeat=n - 1))) @ sizes[1:] + sizes[0]
        return float(np.mean(np.abs(sums) >= total * (1 - 1e-12)))
    steps = _steps(sizes)
    return _saddlepoint(sizes, total) if steps is None else _lattice(steps[0], round(total / steps[1]))


def _steps(sizes: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The differences as multiples `[n]` of one step, and the step; None for differences without a common step."""
    smallest = float(sizes.min())
    for divisor in _DIVISORS:
        multiples = sizes * (divisor / smallest)
        whole = np.rint(multiples)
        if whole.sum() > _LARGEST_SUM:
            return None
        if np.abs(multiples - whole).max() < 1e-6:
            return whole.astype(np.int64), smallest / divisor
    return None


def _lattice(multiples: np.ndarray, total: int) -> float:
    """P(|sum of +-multiples| >= total), from the characteristic function: a product of cosines."""
    largest = int(multiples.sum())
    points = 2 * largest + 1
    angles = 2 * math.pi * np.arange(points // 2 + 1) / points
    characteristic = np.ones(len(angles))
    for size, count in zip(*np.unique(multiples, return_counts=True), strict=True):
        characteristic *= np.cos(size * angles) ** int(count)
    chances = np.fft.irfft(characteristic, points)
    return min(
        1.0, max(float(chances[total : points - total + 1].sum()) if total else 1.0, 2.0 ** (1 - len(multiples)))
    )


def _saddlepoint(sizes: np.ndarray, total: float) -> float:
    length = math.sqrt(float(sizes @ sizes))
    sizes, total = sizes / length, total / length
    if total >= sizes.sum() * (1 - 1e-12):
        return 2.0 ** (1 - min(len(sizes), 1000))
    t = curvature = 0.0
    for _ in range(60):  # K' is concave above zero, so Newton's steps approach the root from below
        tanh = np.tanh(t * sizes)
        missing = total - float(sizes @ tanh)
        curvature = float(np.square(sizes) @ (1 - np.square(tanh)))
        if missing < 1e-9 * total or curvature <= 0:
            break
        t += missing / curvature
    if t < 1e-3:
        return min(1.0, 2 * float(scipy.special.ndtr(-total)))
    log_moment = float((np.logaddexp(t * sizes, -t * sizes) - math.log(2)).sum())
    w, u = math.sqrt(max(2 * (t * total - log_moment), 1e-300)), t * math.sqrt(max(curvature, 1e-300))
    tail = float(scipy.special.ndtr(-w)) + math.exp(-w * w / 2) / math.sqrt(2 * math.pi) * (1 / u - 1 / w)
    return min(1.0, max(2 * tail, 0.0))
