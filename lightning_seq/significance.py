"""Which labels of a comparison differ by more than chance: intervals, tests and effect sizes over numbers alone.

What is inferred. A label is judged by the mean of a metric over its training runs (seeds) and the test examples, and
the question is whether two labels would differ again with *other seeds and other examples*: both are random draws, and
they are crossed, since every run answers the same examples. So with the runs' scores paired by seed and by example, the
variance of a mean difference has two parts, one from runs and one from examples, as in studies of several readers and
the same cases (Dorfman, Berbaum & Metz 1992); flipping the signs of seeds x examples cell by cell, or taking other
examples for each seed, would treat thousands of dependent cells as independent and see differences where there are
none. Each part has its own degrees of freedom, few for runs; their t quantiles are combined as by Banerjee (1961),
whose false alarms are never more than nominal for normal differences, where Satterthwaite's approximation raises
several times as many in the far tail with two or three seeds. Two labels are told apart only where this test over runs
and examples *and* a sign-flip test over examples say so after Holm's correction over all pairs, and where the interval
leaves zero out. Where only the runs' metrics are there, the inference is over runs, on these very examples: a paired t
test. A sign-flip test of K seeds has no p below 2^(1-K) (0.5 for two seeds, 0.06 for five), so that it could tell
nothing apart in any usual comparison; it is used where the seeds do not spread at all, where t knows no variance. All
of this takes differences between paired runs to be about normal; with two or three seeds only large differences are
found, as it should be.

Sources: Holm 1979; Rubin 1981 (the Bayesian bootstrap, smooth for few seeds); Davison & Hinkley 1997, sec. 3.8
(hierarchical resampling with each level rescaled to its variance); Hesterberg 2015 (intervals widened by t over z);
Robinson 1982 (saddlepoints of sign-flip tests); Cliff 1993; del Barrio et al. 2018, Dror et al. 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from statistics import fmean

import numpy as np
import scipy  # its parts are imported when they are first used

ALPHA = 0.05
RESAMPLES = 2000
_EXACT = 14
"""Up to so many differences that are not zero, every flip of signs is looked at."""

_CHUNK = 2_500_000


@dataclass(frozen=True)
class Pair:
    """Two labels compared over the seeds that both have; `better` is the one with the better mean.

    examples:   how many test examples the inference is over too; 0 if it is over seeds alone.
    difference: of the means, never negative: by how much `better` is better.
    low, high:  its 95 % interval, of this pair by itself; nan if runs and examples have no variance.
    p:          two-sided; `adjusted` by Holm over all pairs.
    effect:     Cliff's delta over runs: how much more often a run of `better` is better than one of `other` than worse.
    order:      of almost stochastic order, see `almost_stochastic_order`; None if it was not computed.
    """

    better: str
    other: str
    seeds: tuple[int, ...]
    examples: int
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    effect: float
    order: float | None = None

    @property
    def told_apart(self) -> bool:
        return self.adjusted < ALPHA and not self.low <= 0


@dataclass(frozen=True)
class Spread:
    """The variance of a mean difference over K runs and N examples, one part for each.

    runs:     with K - 1 degrees of freedom; the residual noise of each cell is part of it.
    examples: with N - 1; differences between examples that all runs share.
    """

    runs: float
    examples: float
    K: int
    N: int

    def margin(self, p: float) -> float:
        """The mean difference with this two-sided p (Banerjee 1961)."""
        parts = self.runs * scipy.special.stdtrit(self.K - 1, p / 2) ** 2
        if self.examples:
            parts += self.examples * scipy.special.stdtrit(self.N - 1, p / 2) ** 2
        return math.sqrt(parts)

    def p(self, difference: float) -> float:
        """Two-sided: the p whose margin is the difference; at least 1e-15."""
        difference = abs(difference)
        if self.margin(1e-15) <= difference:
            return 1e-15
        return float(scipy.optimize.brentq(lambda p: self.margin(p) - difference, 1e-15, 1.0, xtol=1e-15, rtol=1e-10))


def spread(differences: np.ndarray) -> Spread:
    """Of the mean of `[K, N]` differences, paired by run and example; N is 1 if only runs are known.

    The mean squares of a two-way layout without replication: var = (MS_runs + max(MS_examples - MS_rest, 0)) / KN.
    """
    K, N = differences.shape
    mean = differences.mean()
    runs, examples = differences.mean(1) - mean, differences.mean(0) - mean
    square_runs = N * float(runs @ runs) / (K - 1)
    extra = 0.0
    if N > 1:
        square_examples = K * float(examples @ examples) / (N - 1)
        total = float(np.square(differences - mean).sum())
        rest = (total - (K - 1) * square_runs - (N - 1) * square_examples) / ((K - 1) * (N - 1))
        extra = max(square_examples - max(rest, 0.0), 0.0)
    return Spread(square_runs / (K * N), extra / (K * N), K, N)


def sign_flip(differences: np.ndarray) -> float:
    """Two-sided p of paired differences `[n]` whose signs chance could have dealt.

    Every flip is looked at where up to 14 are not zero; else the tail is that of the saddlepoint (Lugannani & Rice
    1980; Robinson 1982), which needs no random draws. 1 where all are zero.
    """
    sizes, seen = np.abs(differences[differences != 0.0]), abs(float(differences.sum()))
    n = len(sizes)
    if n == 0:
        return 1.0
    if n <= _EXACT:
        sums = np.array(list(product((1.0, -1.0), repeat=n - 1))) @ sizes[1:] + sizes[0]
        return float(np.mean(np.abs(sums) >= seen * (1 - 1e-12)))
    length = math.sqrt(float(sizes @ sizes))
    sizes, seen = sizes / length, seen / length
    if seen >= sizes.sum() * (1 - 1e-12):
        return 2.0 ** (1 - min(n, 1000))
    t = 0.0
    for _ in range(60):  # K' is concave above zero: Newton's steps come from below and never pass the root
        tanh = np.tanh(t * sizes)
        missing = seen - float(sizes @ tanh)
        curvature = float(np.square(sizes) @ (1 - np.square(tanh)))
        if missing < 1e-9 * seen or curvature <= 0:
            break
        t += missing / curvature
    if t < 1e-3:
        return min(1.0, 2 * float(scipy.special.ndtr(-seen)))
    grown = float((np.logaddexp(t * sizes, -t * sizes) - math.log(2)).sum())
    w, u = math.sqrt(max(2 * (t * seen - grown), 1e-300)), t * math.sqrt(max(curvature, 1e-300))
    tail = float(scipy.special.ndtr(-w)) + math.exp(-w * w / 2) / math.sqrt(2 * math.pi) * (1 / u - 1 / w)
    return min(1.0, max(2 * tail, 0.0))


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted for there being several (Holm 1979), in the order given."""
    adjusted, largest = [1.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = largest
    return adjusted


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


def compare(
    scores: Mapping[str, Mapping[int, float]],
    examples: Mapping[tuple[str, int], np.ndarray] | None = None,
    lower_is_better: bool = False,
    stochastic_order: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Pair]:
    """Every two labels that share at least two seeds, in an order that does not depend on that of the labels.

    scores:           by label and seed, a run's metric.
    examples:         by label and seed, `[N]` scores of the same test examples in the same order, whose mean is the
                      run's metric. A pair of which a run has none is judged by its seeds alone.
    stochastic_order: whether to give `order` too.

    The interval: seeds are drawn again with Dirichlet weights, examples with weights of their own that all runs share;
    the deviations of each level are rescaled to its variance (`spread`) and widened by t over z, and the interval is
    the 95 % quantile of their sum's size on either side of the difference. `resamples` times, always with the same
    draws from `seed`.
    """
    examples = examples or {}
    sizes = {len(values) for values in examples.values()}
    if len(sizes) > 1:
        raise ValueError(f"expected scores of the same examples in every run, {sorted(sizes)} of them came")
    seeds = sorted({number for by_seed in scores.values() for number in by_seed})
    random = np.random.default_rng(seed)
    by_seeds = random.standard_exponential((resamples, len(seeds)))
    order = sorted(examples)
    by_examples = _example_means(np.stack([examples[run] for run in order]), resamples, random) if order else None
    columns = {run: column for column, run in enumerate(order)}
    sign = -1.0 if lower_is_better else 1.0
    pairs = []
    for first, second in combinations(sorted(scores), 2):
        shared = sorted(scores[first].keys() & scores[second].keys())
        if len(shared) < 2:
            continue
        runs = [[(label, number) for number in shared] for label in (first, second)]
        values = np.array([[scores[label][number] for number in shared] for label in (first, second)])
        if sign * (values[0].mean() - values[1].mean()) < 0:
            first, second, runs, values = second, first, runs[::-1], values[::-1]
        paired = all(run in examples for run in (*runs[0], *runs[1]))
        drawn = None
        if paired:
            differences = sign * np.stack([examples[a] - examples[b] for a, b in zip(*runs, strict=True)])
            if by_examples is not None:
                weights = [by_examples[:, [columns[run] for run in mine]].mean(1) for mine in runs]
                drawn = sign * (weights[0] - weights[1])
        else:
            differences = sign * (values[0] - values[1])[:, None]
        dirichlet = by_seeds[:, [seeds.index(number) for number in shared]]
        found = _judge(differences, dirichlet / dirichlet.sum(1, keepdims=True), drawn)
        mine, others = (sign * values[0]).tolist(), (sign * values[1]).tolist()
        pairs.append(
            Pair(
                first,
                second,
                tuple(shared),
                differences.shape[1] if paired else 0,
                *found,
                adjusted=1.0,
                effect=cliffs_delta(mine, others),
                order=almost_stochastic_order(mine, others, seed=seed) if stochastic_order else None,
            )
        )
    adjusted = holm([pair.p for pair in pairs])
    return [replace(pair, adjusted=p) for pair, p in zip(pairs, adjusted, strict=True)]


def _judge(
    differences: np.ndarray, dirichlet: np.ndarray, drawn: np.ndarray | None
) -> tuple[float, float, float, float]:
    """The difference, its interval, and p. drawn: how far other examples `[R]` move the difference of the means."""
    K, N = differences.shape
    by_run = differences.mean(1)
    difference = fmean(by_run.tolist())
    variance = spread(differences)
    if variance.runs + variance.examples <= (1e-9 * difference) ** 2:
        return difference, math.nan, math.nan, sign_flip(by_run)
    z = float(scipy.special.ndtri(1 - ALPHA / 2))
    widened = [abs(float(scipy.special.stdtrit(df, ALPHA / 2))) / z for df in (K - 1, max(N - 1, 1))]
    moved = (dirichlet @ by_run - difference) * math.sqrt((K + 1) / (K - 1)) * widened[0]
    p = variance.p(difference)
    if drawn is not None and N > 1:
        by_example = differences.mean(0)
        own = float(np.square(by_example - by_example.mean()).sum()) / (N * (N + 1))
        if own > 0:
            moved = moved + drawn * math.sqrt(variance.examples / own) * widened[1]
        p = max(p, sign_flip(by_example))
    margin = float(np.quantile(np.abs(moved), 1 - ALPHA))
    return difference, difference - margin, difference + margin, p


def _example_means(scores: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """How far the means of runs `[runs, N]` move with other examples: `[R, runs]`, the same examples for all runs."""
    centred = (scores - scores.mean(1, keepdims=True)).astype(np.float32).T
    N, parts = len(centred), []
    for first in range(0, resamples, max(1, _CHUNK // N)):
        rows = min(max(1, _CHUNK // N), resamples - first)
        weights = random.standard_exponential((rows, N), dtype=np.float32)
        parts.append((weights @ centred) / weights.sum(1, keepdims=True))
    return np.concatenate(parts).astype(np.float64)


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
