"""Intervals and p values of all pairs of labels at once, over runs and test examples.

Runs. The variance of a label's runs is its own, but never less than the pooled variance of all labels: two or three
seeds say little about one label, and all labels together say much (the idea of moderated variances, Smyth 2004, with
a floor instead of a mean, since one label may spread more than the others). The largest difference of any two labels,
over its standard error, has a distribution under the null hypothesis that depends on the numbers of runs alone. It is
simulated twice, with equal spreads and with one label that spreads four times as much (`WIDE`), and the larger critical
value counts (max-t, as Westfall & Young 1993). At a nominal 5 %, the first gives 5 % false alarms per comparison, the
second 6 % (`TOLERANCE`).

Examples. The variance over examples is that of the difference of the two labels' mean scores, by cluster: examples of
one chapter or document may be alike (Liang & Zeger 1986). The noise of each run at each cluster is in the runs' part
already and is subtracted (Cameron, Gelbach & Miller 2011). Its critical value is that of the studentised range.

Both parts are combined as by Banerjee (1961): the margin is the root of the summed squares of the two margins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

ALPHA = 0.05
DRAWS = 20_000
WIDE = 4.0
TOLERANCE = 1.2
_CHUNK = 2_000_000
_LEVELS = np.unique(np.append(np.geomspace(1 / DRAWS, 1.0, 300), ALPHA))


@dataclass(frozen=True)
class Inference:
    """All pairs of L labels, in the order of `numpy.triu_indices(L, 1)`: `[P]` each.

    differences: the mean of the first label minus that of the second.
    runs:        the variance of the difference that comes from runs.
    examples:    the variance that comes from test examples; 0 without scores of examples.
    margins:     half the width of the simultaneous interval.
    p:           adjusted for all pairs; below the level exactly where the interval excludes zero.
    """

    differences: np.ndarray
    runs: np.ndarray
    examples: np.ndarray
    margins: np.ndarray
    p: np.ndarray


def infer(
    means: np.ndarray,
    squares: np.ndarray,
    sizes: Sequence[int],
    examples: np.ndarray | None = None,
    clusters: int = 0,
    blocked: bool = False,
    level: float = ALPHA,
) -> Inference:
    """Simultaneous inference for L labels.

    means:    `[L]`.
    squares:  `[L]`, from `variances`.
    sizes:    runs of each label, at least 2.
    examples: `[P]` variances over examples, of `clusters` clusters, from `example_variances`.
    blocked:  whether the runs of a seed share the split or the vectors; see `variances`.
    level:    one minus the coverage of the intervals.
    """
    levels = np.unique(np.append(_LEVELS, level))
    first, second = np.triu_indices(len(means), 1)
    differences = means[first] - means[second]
    of_means = _floored(squares, np.asarray(sizes) - 1.0) / np.asarray(sizes)
    runs = of_means[first] + of_means[second]
    examples = np.zeros(len(first)) if examples is None else examples
    margins = np.square(np.interp(levels, _LEVELS, _critical_runs(tuple(sizes), blocked)))[:, None] * runs
    if examples.any():
        margins = margins + (
            np.square(np.interp(levels, _LEVELS, _critical_examples(len(means), clusters - 1)))[:, None] * examples
        )
    margins = np.sqrt(margins)
    smaller = margins < np.abs(differences)
    index = smaller.argmax(0)  # p is between this level and the one before it
    p = np.where(smaller.any(0), np.sqrt(levels[index] * levels[np.maximum(index - 1, 0)]), 1.0)
    return Inference(differences, runs, examples, margins[np.searchsorted(levels, level)], p)


def variances(values: Sequence[np.ndarray], blocked: bool = False) -> np.ndarray:
    """The variance `[L]` of single runs of each label, from its runs' metrics.

    blocked: the same seeds in the same order for all labels, whose shared effect is taken out (a two-way layout); for
             seeds that draw the split or the word vectors, the same for all labels.
    """
    if not blocked:
        return np.array([runs.var(ddof=1) for runs in values])
    return _blocked_squares(np.stack(values)[None])[0]


def example_variances(scores: Sequence[np.ndarray], clusters: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """The variance `[P]` that examples bring to each difference of means, and the number of clusters.

    scores:   by label, `[K, N]` of its K runs at the same N examples.
    clusters: `[N]`, equal numbers for examples of one cluster; None where each example is a cluster.
    """
    N = scores[0].shape[1]
    if clusters is None:
        clusters = np.arange(N)
    count = len(np.unique(clusters))
    if count < 2:
        raise ValueError("expected test examples of at least 2 clusters")
    means = np.stack([runs.mean(0) for runs in scores])
    centred = cluster_sums(means - means.mean(1, keepdims=True), clusters)
    cells = []
    for runs, mean in zip(scores, means, strict=True):
        rest = cluster_sums(runs - runs.mean(1, keepdims=True) - mean + mean.mean(), clusters)
        cells.append(np.square(rest).sum() / (len(runs) * (len(runs) - 1)))
    products = centred @ centred.T
    diagonal, noise = np.diag(products), np.array(cells)
    first, second = np.triu_indices(len(scores), 1)
    found = (diagonal[:, None] + diagonal - 2 * products - noise[:, None] - noise)[first, second]
    return np.maximum(found, 0.0) * (count / (count - 1) / N**2), count


def cluster_sums(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums `[rows, clusters]` of `[rows, N]`."""
    order = np.argsort(clusters, kind="stable")
    _, starts = np.unique(clusters[order], return_index=True)
    return np.add.reduceat(values[:, order], starts, axis=1)


def _floored(squares: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Variances `[..., L]`, none below their pooled variance."""
    return np.maximum(squares, (squares @ freedom / freedom.sum())[..., None])


def _blocked_squares(values: np.ndarray) -> np.ndarray:
    """Variances `[R, L]` of the residuals of labels + seeds, from `[R, L, K]`."""
    _, L, K = values.shape
    rest = values - values.mean(2, keepdims=True) - values.mean(1, keepdims=True) + values.mean((1, 2), keepdims=True)
    return np.square(rest).sum(2) * (L / ((L - 1) * (K - 1)))


def _critical_runs(sizes: tuple[int, ...], blocked: bool) -> np.ndarray:
    """Critical values at each of `_LEVELS`; the order of the labels does not matter."""
    return _critical_sorted(tuple(sorted(sizes)), blocked)


@lru_cache(maxsize=64)
def _critical_sorted(sizes: tuple[int, ...], blocked: bool) -> np.ndarray:
    equal = np.quantile(_largest(sizes, blocked, wide=False), 1 - _LEVELS)
    wide = np.quantile(_largest(sizes, blocked, wide=True), 1 - np.minimum(TOLERANCE * _LEVELS, 1.0))
    return np.maximum(equal, wide)


def _largest(sizes: tuple[int, ...], blocked: bool, wide: bool) -> np.ndarray:
    """Draws of the largest difference of two labels over its standard error, under the null hypothesis.

    sizes: rising.
    wide:  whether the first label, which has the fewest runs, spreads more; no other label has larger draws.
    """
    L, K = len(sizes), np.asarray(sizes)
    random = np.random.default_rng([L, *sizes, int(blocked), int(wide)])
    scale = np.ones(L)
    if wide:
        scale[0] = WIDE
    first, second = np.triu_indices(L, 1)
    rows = max(1, min(DRAWS, _CHUNK // (len(first) + L * int(K.max()))))
    parts = []
    for start in range(0, DRAWS, rows):
        R = min(rows, DRAWS - start)
        if blocked:
            values = random.standard_normal((R, L, sizes[0])) * scale[:, None]
            means, squares = values.mean(2), _blocked_squares(values)
        else:
            means = random.standard_normal((R, L)) * scale / np.sqrt(K)
            squares = random.chisquare(K - 1.0, (R, L)) * np.square(scale) / (K - 1.0)
        of_means = _floored(squares, K - 1.0) / K
        ratios = np.square(means[:, first] - means[:, second]) / (of_means[:, first] + of_means[:, second])
        parts.append(np.sqrt(ratios.max(1)))
    return np.concatenate(parts)


def studentised_range(labels: int, freedom: int, level: float = ALPHA) -> float:
    """The critical value of the studentised range over sqrt(2)."""
    return float(np.interp(level, _LEVELS, _critical_examples(labels, freedom)))


@lru_cache(maxsize=256)
def _critical_examples(labels: int, freedom: int) -> np.ndarray:
    """Critical values of the studentised range over sqrt(2) at each of `_LEVELS`."""
    random = np.random.default_rng([labels, freedom])
    spread = np.ptp(random.standard_normal((DRAWS, labels)), axis=1) / math.sqrt(2)
    return np.quantile(spread / np.sqrt(random.chisquare(freedom, DRAWS) / freedom), 1 - _LEVELS)
