"""Compare labels by the scores of their runs: for each pair, the difference, its interval, and the decision."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations

import numpy as np
import scipy

from lightning_seq.significance.effect_sizes import almost_stochastic_order, cliffs_delta
from lightning_seq.significance.sign_flip import sign_flip
from lightning_seq.significance.simultaneous import (
    ALPHA,
    Inference,
    cluster_sums,
    example_variances,
    infer,
    studentised_range,
    variances,
)
from lightning_seq.significance.successes import between_humps, compare_counts

MOST_SEEDS = 200


class Decision(Enum):
    """Exactly one holds of each pair."""

    BEATS = "beats"
    EQUAL = "equal"
    OPEN = "not decided"


@dataclass(frozen=True)
class Pair:
    """Two labels; `better` is the one with the better mean.

    seeds:      runs of each that the comparison rests on.
    difference: of the means, never negative: by how much `better` is better.
    low, high:  its simultaneous 95 % interval: all pairs of the comparison are inside theirs in 95 % of comparisons.
                nan if neither runs nor examples vary.
    p:          two-sided, adjusted for all pairs; below 0.05 exactly where the interval excludes zero.
    effect:     Cliff's delta over runs: how much more often a run of `better` is better than one of `other` than worse.
    decision:   EQUAL where the whole interval is inside the region of practical equivalence, else BEATS where it
                excludes zero, else OPEN.
    needed:     seeds of each label with which a difference of this size is decided with a power of 80 %; None where it
                is decided, or no number of seeds up to 200 is enough.
    order:      of almost stochastic order, see `almost_stochastic_order`; None unless asked for.
    """

    better: str
    other: str
    seeds: tuple[int, int]
    difference: float
    low: float
    high: float
    p: float
    effect: float
    decision: Decision
    needed: int | None = None
    order: float | None = None

    @property
    def told_apart(self) -> bool:
        return self.decision is Decision.BEATS


@dataclass(frozen=True)
class Comparison:
    """Every pair of labels that have at least two runs, in an order that does not depend on that of the labels.

    examples:  test examples that the inference is over too; 0 for an inference over runs alone.
    clusters:  their clusters; as many as `examples` where each is alone.
    threshold: of success, where runs succeed or fail; differences are then of shares of successful runs.
    """

    pairs: tuple[Pair, ...] = ()
    examples: int = 0
    clusters: int = 0
    threshold: float | None = None


def compare(
    scores: Mapping[str, Mapping[int, float]],
    examples: Mapping[tuple[str, int], np.ndarray] | None = None,
    clusters: np.ndarray | None = None,
    lower_is_better: bool = False,
    limits: tuple[float, float] = (-math.inf, math.inf),
    rope: float = 0.0,
    blocked: bool = False,
    stochastic_order: bool = False,
    level: float = ALPHA,
) -> Comparison:
    """Compare all labels.

    scores:   by label and seed, a run's metric. Labels with fewer than two runs are left out.
    examples: by label and seed, `[N]` scores of the same test examples in the same order, whose mean is the run's
              metric; used where every run has them.
    clusters: `[N]`, equal for examples of one cluster (chapter, document).
    limits:   the lowest and the highest value of the metric; intervals are clipped to what is possible.
    rope:     half the width of the region of practical equivalence around zero.
    blocked:  whether a seed's runs share the split or the vectors: the seeds that all labels have are then compared as
              blocks.
    level:    of the test: intervals cover all differences with a chance of 1 - level.

    Raises ValueError for examples of different lengths, clusters of another length, scores that are not finite, a
    negative rope, and a level out of the range from 0.0001 to 1.
    """
    if not all(math.isfinite(value) for by_seed in scores.values() for value in by_seed.values()):
        raise ValueError("expected finite scores")
    if not rope >= 0 or not 1e-4 <= level < 1:
        raise ValueError(f"rope is {rope} and level is {level}: expected at least 0, and from 0.0001 to 1")
    sign = -1.0 if lower_is_better else 1.0
    seeds = _compared_seeds(scores, blocked)
    labels = list(seeds)
    if len(labels) < 2:
        return Comparison()
    values = [np.array([scores[label][seed] for seed in seeds[label]]) for label in labels]
    threshold = None if blocked else between_humps({label: scores[label] for label in labels})
    if threshold is not None:
        return _of_successes(labels, values, threshold, sign, level)
    cells = _cells(seeds, examples or {}, clusters)
    over_examples, count = (None, 0) if cells is None else example_variances(cells, clusters)
    means, sizes = np.array([runs.mean() for runs in values]), [len(runs) for runs in values]
    inference = infer(means, variances(values, blocked), sizes, over_examples, count, blocked, level)
    inference = _degenerate(inference, sizes, level, _unseen(limits, count, len(inference.differences), level))
    if cells is not None:
        inference = _flipped(inference, cells, clusters, level)
    pairs = []
    for index, (a, b) in enumerate(combinations(range(len(labels)), 2)):
        if sign * inference.differences[index] < 0:
            a, b = b, a
        difference = abs(float(inference.differences[index]))
        low, high = _clipped(difference, float(inference.margins[index]), limits)
        decision = _decide(low, high, rope)
        runs = (sign * values[a]).tolist(), (sign * values[b]).tolist()
        pairs.append(
            Pair(
                labels[a],
                labels[b],
                (sizes[a], sizes[b]),
                difference,
                low,
                high,
                float(inference.p[index]),
                cliffs_delta(*runs),
                decision,
                _needed(inference, index, len(labels), min(sizes), count, level) if decision is Decision.OPEN else None,
                almost_stochastic_order(*runs) if stochastic_order else None,
            )
        )
    return Comparison(tuple(pairs), 0 if cells is None else cells[0].shape[1], count)


def _compared_seeds(scores: Mapping[str, Mapping[int, float]], blocked: bool) -> dict[str, list[int]]:
    """The seeds of each label with at least two; in blocks, those that all labels have."""
    seeds = {label: sorted(by_seed) for label, by_seed in sorted(scores.items()) if len(by_seed) > 1}
    if not blocked or not seeds:
        return seeds
    common = sorted(set.intersection(*map(set, seeds.values())))
    return dict.fromkeys(seeds, common) if len(common) > 1 else {}


def _cells(
    seeds: Mapping[str, Sequence[int]], examples: Mapping[tuple[str, int], np.ndarray], clusters: np.ndarray | None
) -> list[np.ndarray] | None:
    """By label, the scores `[K, N]`; None where a run has none, or all examples are one cluster."""
    runs = [(label, seed) for label in seeds for seed in seeds[label]]
    if not all(run in examples for run in runs):
        return None
    if len({len(examples[run]) for run in runs}) > 1:
        raise ValueError("expected the scores of the same examples in every run")
    if clusters is not None and len(clusters) != len(examples[runs[0]]):
        raise ValueError(f"{len(clusters)} clusters came for {len(examples[runs[0]])} examples: expected one for each")
    count = len(examples[runs[0]]) if clusters is None else len(np.unique(clusters))
    return [np.stack([examples[label, seed] for seed in seeds[label]]) for label in seeds] if count > 1 else None


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted for their number (Holm 1979), in the order given."""
    adjusted, largest = [1.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = largest
    return adjusted


def _decide(low: float, high: float, rope: float) -> Decision:
    if -rope < low and high < rope:
        return Decision.EQUAL
    return Decision.BEATS if low > 0 else Decision.OPEN


def _clipped(difference: float, margin: float, limits: tuple[float, float]) -> tuple[float, float]:
    widest = limits[1] - limits[0]
    return max(difference - margin, -widest), min(difference + margin, widest)


def _unseen(limits: tuple[float, float], count: int, pairs: int, level: float) -> float:
    """The greatest difference on new examples of labels that `count` examples or clusters do not distinguish.

    A share x of examples that differ escapes them with a chance of (1 - x)^count (the rule of three).
    """
    widest = limits[1] - limits[0]
    return widest * (1 - (level / pairs) ** (1 / count)) if count and math.isfinite(widest) else 0.0


def _degenerate(inference: Inference, sizes: Sequence[int], level: float, unseen: float) -> Inference:
    """Without any variance, p is that of the signs of the fewest seeds, for all pairs.

    The interval is a point if that decides, and `unseen` wide on both sides if there is no difference; otherwise there
    is none.
    """
    constant = inference.runs + inference.examples <= np.square(1e-9 * inference.differences)
    if not constant.any():
        return inference
    same = inference.differences == 0
    of_signs = np.where(same, 1.0, min(1.0, 2.0 ** (1 - min(sizes)) * len(constant)))
    margins = np.where(constant, np.where(same, unseen, np.where(of_signs < level, 0.0, math.nan)), inference.margins)
    return replace(inference, margins=margins, p=np.where(constant, of_signs, inference.p))


def _flipped(inference: Inference, cells: Sequence[np.ndarray], clusters: np.ndarray | None, level: float) -> Inference:
    """Widens to zero the interval of each pair that the sign-flip test over clusters of examples does not reject.

    Few discordant answers lie on a lattice, where t is too sure.
    """
    means = np.stack([runs.mean(0) for runs in cells])
    if clusters is not None:
        means = cluster_sums(means, clusters)
    decided = inference.margins < np.abs(inference.differences)
    raw = [
        sign_flip(means[a] - means[b]) if tested else 1.0
        for (a, b), tested in zip(combinations(range(len(means)), 2), decided, strict=True)
    ]
    adjusted = np.array(holm(raw))
    size = np.abs(inference.differences)
    margins = np.where(decided & (adjusted >= level), np.maximum(inference.margins, size), inference.margins)
    return replace(inference, margins=margins, p=np.where(decided, np.maximum(inference.p, adjusted), inference.p))


def _of_successes(
    labels: Sequence[str],
    values: Sequence[np.ndarray],
    threshold: float,
    sign: float,
    level: float,
) -> Comparison:
    counts = [int((sign * runs > sign * threshold).sum()) for runs in values]
    sizes = [len(runs) for runs in values]
    number = len(labels) * (len(labels) - 1) // 2
    pairs = []
    for a, b in combinations(range(len(labels)), 2):
        if (counts[a] / sizes[a], sign * values[a].mean()) < (counts[b] / sizes[b], sign * values[b].mean()):
            a, b = b, a
        p, low, high = compare_counts(counts[a], sizes[a], counts[b], sizes[b], level / number)
        pairs.append(
            Pair(
                labels[a],
                labels[b],
                (sizes[a], sizes[b]),
                counts[a] / sizes[a] - counts[b] / sizes[b],
                low,
                high,
                min(1.0, p * number),
                cliffs_delta((sign * values[a]).tolist(), (sign * values[b]).tolist()),
                Decision.BEATS if low > 0 else Decision.OPEN,
            )
        )
    return Comparison(tuple(pairs), threshold=threshold)


def _needed(inference: Inference, index: int, labels: int, seeds: int, clusters: int, level: float) -> int | None:
    """The fewest seeds that would decide a difference of this size with a power of 80 % (normal approximation)."""
    difference = abs(float(inference.differences[index]))
    runs, examples = float(inference.runs[index]), float(inference.examples[index])
    power = float(scipy.special.ndtri(0.8))

    def decides(number: int) -> bool:
        part = runs * seeds / number
        squared = studentised_range(labels, labels * (number - 1), level) ** 2 * part
        if examples:
            squared += studentised_range(labels, clusters - 1, level) ** 2 * examples
        return difference >= math.sqrt(squared) + power * math.sqrt(part + examples)

    numbers = range(seeds + 1, MOST_SEEDS + 1)
    place = bisect_left(numbers, True, key=decides)
    varies = runs + examples > (1e-9 * difference) ** 2
    return numbers[place] if difference and varies and place < len(numbers) else None
