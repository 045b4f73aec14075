"""Compare labels over several data sets: mean ranks, tests of ranks, and statistics over all runs with a bootstrap.

Two questions, two kinds of inference:

Which label is better on further data sets like these? The data sets are the sample. Labels are ranked on each (Demšar
2006); two labels differ by Wilcoxon's signed-rank test over data sets, with Holm's correction for all pairs. That is
what Benavoli, Corani & Mangili (2016) recommend instead of Nemenyi's critical difference of mean ranks, by which the
decision on two labels depends on the ranks of the others. All tests are exact, since data sets are few.

Which label is better on these data sets? The runs are the sample. Probability of improvement, interquartile mean and
performance profile are those of Agarwal et al. (2021, "Deep reinforcement learning at the edge of the statistical
precipice"); seeds are resampled within each label and data set, one fewer than there are: see `bootstrap`.

Scores are on one scale for all data sets, higher is better: see `normalised`. "Runs" of a label are arrays of scores,
`[..., K]` for each data set, with leading dimensions of the bootstrap's draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from lightning_seq.significance.compare import holm
from lightning_seq.significance.sign_flip import sign_flip
from lightning_seq.significance.simultaneous import ALPHA

DRAWS = 2_000
PERMUTATIONS = 20_000
_CHUNK = 2_000_000
_DECIMALS = 12
"""Means that differ by less are equal: the order of seeds does not matter."""

Runs = Sequence[np.ndarray]


def normalised(values: np.ndarray, baseline: float, best: float) -> np.ndarray:
    """0 where a value equals that of the baseline, 1 where it is the best possible one; below 0 if worse.

    Raises ValueError for a baseline that is the best possible value.
    """
    if baseline == best:
        raise ValueError(f"the baseline is {baseline}, the best possible value: expected a worse one")
    return (np.asarray(values, float) - baseline) / (best - baseline)


def ranks(scores: np.ndarray) -> np.ndarray:
    """The ranks `[S, L]` of L labels on S data sets by scores `[S, L]`, 1 for the highest; ties share a mean rank."""
    rounded = np.round(scores, _DECIMALS)
    mine, others = rounded[:, :, None], rounded[:, None, :]
    return (others > mine).sum(2) + ((others == mine).sum(2) + 1) / 2


def friedman(ranked: np.ndarray, permutations: int = PERMUTATIONS) -> float:
    """p of the null hypothesis that all labels are alike on every data set, from ranks `[S, L]` (Friedman 1937).

    By permutations of each data set's ranks: chi-square and Iman & Davenport's F are far off with few data sets.
    """
    S, L = ranked.shape
    middle = S * (L + 1) / 2
    sorted_ranks = np.sort(ranked, 1)
    sorted_ranks = sorted_ranks[np.lexsort(sorted_ranks.T)]  # the order of data sets and labels does not matter
    random = np.random.default_rng([S, L])
    observed, extreme = np.square(ranked.sum(0) - middle).sum(), 0
    rows = max(1, _CHUNK // ranked.size)
    for start in range(0, permutations, rows):
        count = min(rows, permutations - start)
        drawn = random.permuted(np.broadcast_to(sorted_ranks, (count, S, L)), axis=2)
        extreme += int((np.square(drawn.sum(1) - middle).sum(1) >= observed - 1e-9).sum())
    return (1 + extreme) / (1 + permutations)


def signed_ranks(differences: np.ndarray) -> np.ndarray:
    """The ranks `[S]` of sizes of differences, with their signs; zeros are ranked and count nothing (Pratt 1959)."""
    differences = np.round(differences, _DECIMALS)
    sizes = np.abs(differences)
    return np.sign(differences) * (len(sizes) + 1 - ranks(sizes[None])[0])


def compare_pairs(scores: np.ndarray) -> list[tuple[int, float]]:
    """Of each pair of labels (a, b), in the order of `itertools.combinations`: a sign and an adjusted p.

    scores: `[S, L]`, a label's mean score on each data set.

    The sign is that of the sum of signed ranks, positive where a is better. p is that of Wilcoxon's signed-rank test
    (Wilcoxon 1945), exact with ties too, after Holm's correction.
    """
    signed = [signed_ranks(scores[:, a] - scores[:, b]) for a, b in combinations(range(scores.shape[1]), 2)]
    adjusted = holm([sign_flip(each) for each in signed])
    return [(int(np.sign(each.sum())), p) for each, p in zip(signed, adjusted, strict=True)]


def fewest_data_sets(labels: int, level: float = ALPHA) -> int:
    """The least number of data sets with which `compare_pairs` can find any difference between so many labels.

    S data sets on which one label is always better than another give p = 2^(1-S), times the number of pairs.
    """
    count = 1
    while labels * (labels - 1) / 2 * 2.0 ** (1 - count) >= level:
        count += 1
    return count


def improvement(first: Runs, second: Runs) -> np.ndarray:
    """The chance `[...]` that a run of the first label is better than one of the second on the same data set.

    Equal scores count half; every data set has the same weight (Agarwal et al. 2021, sec. 4.3).
    """
    pairs = [(a[..., :, None], b[..., None, :]) for a, b in zip(first, second, strict=True)]
    return np.mean([((a > b).mean((-2, -1)) + (a >= b).mean((-2, -1))) / 2 for a, b in pairs], 0)


def interquartile_mean(runs: Runs) -> np.ndarray:
    """The mean `[...]` of the middle half of all runs; every data set has the same weight.

    A run that lies across a quartile counts with its part inside. With equal numbers of runs, whose sum is divisible
    by four, it is `scipy.stats.trim_mean(scores, 0.25)`.
    """
    values = np.concatenate(runs, -1)
    weights = np.concatenate([np.full(each.shape[-1], 1 / (len(runs) * each.shape[-1])) for each in runs])
    order = np.argsort(values, -1)
    weights = weights[order]
    ends = weights.cumsum(-1)
    inside = np.maximum(np.minimum(ends, 0.75) - np.maximum(ends - weights, 0.25), 0)
    return (np.take_along_axis(values, order, -1) * inside).sum(-1) / inside.sum(-1)


def profile(runs: Runs, thresholds: np.ndarray) -> np.ndarray:
    """The share `[..., T]` of runs with a score above each threshold; every data set has the same weight."""
    return np.mean([(each[..., None] > thresholds).mean(-2) for each in runs], 0)


def bootstrap(
    statistic: Callable[..., np.ndarray], *labels: Runs, fewer: int = 1, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A statistic of the runs of one or more labels, and the ends of its 95 % interval: nan with a single seed.

    Seeds are drawn with replacement within each label and data set (a stratified percentile bootstrap). The interval
    holds for these data sets.

    fewer: K - `fewer` of K seeds are drawn. With 0, as Agarwal et al. do, the variance is only (K - 1) / K of the right
           one; with 1 it is right (Rao & Wu 1988). Of normal runs on two to five data sets, intervals of 95 % then
           cover 69 to 85 % with 2 seeds, 88 to 95 % with 3, 92 to 97 % with 5.
    """
    value = statistic(*labels)
    if all(each.shape[-1] < 2 for runs in labels for each in runs):
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    random = np.random.default_rng([each.shape[-1] for runs in labels for each in runs])

    def resampled(each: np.ndarray) -> np.ndarray:
        K = each.shape[-1]
        return each[random.integers(K, size=(draws, max(1, K - fewer)))]

    drawn = [[resampled(each) for each in runs] for runs in labels]
    low, high = np.quantile(statistic(*drawn), (ALPHA / 2, 1 - ALPHA / 2), axis=0)
    return value, low, high
