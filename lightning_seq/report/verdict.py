"""The verdict of a comparison in words: which labels beat which, which cannot be told apart, and by how much.

The statistics are in `lightning_seq.significance`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from lightning_seq.files import Plain
from lightning_seq.report.headline import is_percentage, is_share, lower_is_better
from lightning_seq.significance import ALPHA, Pair, compare

ONE_SEED = "One seed for each label: nothing can be concluded from one seed. Run more with seeds=3."
NO_PAIR = "No two labels have two finished seeds in common: nothing can be concluded. Run more with seeds=3."
MANY = 8
"""With more labels than these, the sentence names only the best one and the labels that it beats."""

_MATCHED = {"parameters": "parameters", "state": "bytes of state", "flops": "operations a token"}
_ALIKE = 0.02
"""Parameter counts that differ by less are one count in words."""


@dataclass(frozen=True)
class Verdict:
    """The conclusions about the labels of a data set by its headline metric.

    sentences: for people.
    how:       the test, its sample, and what was left out, as lines.
    pairs:     of labels, those of the best labels first.
    best:      the label that beats every other one, None if no label does.
    """

    sentences: tuple[str, ...] = ()
    how: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    best: str | None = None

    def beaten(self, label: str) -> list[str]:
        """The labels that this one is told apart from and better than."""
        return [pair.other for pair in self.pairs if pair.better == label and pair.told_apart]


def judge(
    metric: str | None,
    scores: Mapping[str, Mapping[int, float]],
    examples: Mapping[tuple[str, int], np.ndarray],
    parameters: Mapping[str, Mapping[str, int]],
    matches: Mapping[str, Mapping[str, Plain]] | None = None,
    notes: Sequence[str] = (),
    stochastic_order: bool = False,
) -> Verdict:
    """The verdict on labels by the scores of their finished runs.

    scores:           by label and seed; labels without scores are left out.
    examples, stochastic_order: see `significance.compare`.
    parameters:       by label, counts as in a record: the sentence names them if they are equal.
    matches:          by label, the target of its size, as in a record: the sentence names it if all are equal.
    notes:            on problems of the examples' scores.
    """
    scores = {label: by_seed for label, by_seed in scores.items() if by_seed}
    if metric is None or not scores:
        return Verdict()
    if all(len(by_seed) == 1 for by_seed in scores.values()):
        return Verdict((ONE_SEED,))
    if len(scores) < 2:
        return Verdict()
    compared = compare(scores, examples, lower_is_better(metric), stochastic_order)
    if not compared:
        return Verdict((NO_PAIR,))
    sign = 1 if lower_is_better(metric) else -1
    ranked = sorted(scores, key=lambda label: (sign * fmean(scores[label].values()), label))
    place = {label: number for number, label in enumerate(ranked)}
    pairs = sorted(compared, key=lambda pair: sorted((place[pair.better], place[pair.other])))
    verdict = Verdict(pairs=tuple(pairs))
    best = next((label for label in ranked if len(verdict.beaten(label)) == len(ranked) - 1), None)
    size = _matched([(matches or {}).get(label, {}) for label in ranked])
    size = size or _alike([parameters.get(label, {}) for label in ranked])
    conditions = f"At {size} and {_seeds(compared)}" if size else f"With {_seeds(compared)}"
    sentence = _sentence(ranked, verdict, metric, conditions)
    return Verdict((sentence,), (*_how(ranked, compared, metric), *notes), tuple(pairs), best)


def gap(metric: str, *differences: float) -> list[str]:
    """Differences of a metric as text without the unit; shares are in points."""
    scaled = [100 * value if is_share(metric) else value for value in differences if math.isfinite(value)]
    decimals = 1 if is_share(metric) or is_percentage(metric) or min(map(abs, scaled)) >= 100 else 3
    if decimals == 3 and max(map(abs, scaled)) >= 10:
        decimals = 2
    most = decimals + 2
    while decimals < most and any(value and not round(value, decimals) for value in scaled):
        decimals += 1
    return [f"{round(value, decimals) + 0.0:.{decimals}f}" for value in scaled]


def interval(metric: str, pair: Pair) -> tuple[str, str]:
    """The difference and `-0.4 to 1.0`; the latter empty without an interval."""
    difference, *ends = gap(metric, pair.difference, pair.low, pair.high)
    return difference, " to ".join(ends)


def _size(metric: str, pair: Pair) -> tuple[str, str]:
    """The difference with its unit, and its confidence interval."""
    difference, between = interval(metric, pair)
    named = unit(metric) or f"in {metric.rpartition('/')[2]}"
    return f"{difference} {named}", f"95 % CI {between}" if between else "the same in every seed"


def unit(metric: str) -> str:
    return "points" if is_share(metric) or is_percentage(metric) else ""


def probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _sentence(ranked: list[str], verdict: Verdict, metric: str, conditions: str) -> str:
    apart = {(pair.better, pair.other): pair for pair in verdict.pairs if pair.told_apart}
    tied = {frozenset((pair.better, pair.other)): pair for pair in verdict.pairs if not pair.told_apart}
    many = len(ranked) > MANY
    windows = _windows(ranked, tied)
    parts = [_tie(window, tied, metric) for window in windows if not many or ranked[0] in window]
    named = {frozenset(window) for window in windows if not many or ranked[0] in window}
    groups: dict[frozenset[str], list[str]] = {}
    for label in ranked if not many else ranked[:1]:
        if beaten := frozenset(verdict.beaten(label)):
            groups.setdefault(beaten, []).append(label)
    for beaten, winners in groups.items():
        differences = [apart[winner, loser].difference for winner in winners for loser in beaten]
        parts.append(
            f"{_listed(winners)} {'beats' if len(winners) == 1 else 'beat'} "
            f"{_losers([label for label in ranked if label in beaten], winners, ranked, named)} by "
            + _range(metric, differences, apart[winners[0], next(iter(beaten))])
        )
    if many:
        parts.append(f"{len(apart)} of all {len(verdict.pairs)} pairs can be told apart")
    return f"{conditions}, {'; '.join(parts)}."


def _windows(ranked: list[str], tied: Mapping[frozenset[str], Pair]) -> list[list[str]]:
    """Maximal runs of adjacent labels in the ranking, no two of which can be told apart."""
    windows: list[list[str]] = []
    for first in range(len(ranked)):
        last = first
        while last + 1 < len(ranked) and all(
            frozenset((ranked[last + 1], label)) in tied for label in ranked[first : last + 1]
        ):
            last += 1
        if last > first and not (windows and ranked[last] in windows[-1]):
            windows.append(ranked[first : last + 1])
    return windows


def _tie(window: list[str], tied: Mapping[frozenset[str], Pair], metric: str) -> str:
    mine = [pair for both, pair in tied.items() if both <= set(window)]
    widest = max(mine, key=lambda pair: pair.difference)
    size = ", ".join(_size(metric, widest))
    return f"{_listed(window)} cannot be told apart ({size if len(mine) == 1 else f'at most {size}'})"


def _losers(beaten: list[str], winners: list[str], ranked: list[str], named: set[frozenset[str]]) -> str:
    rest = len(beaten) + len(winners) == len(ranked)
    if len(beaten) == 2 and (rest or frozenset(beaten) in named):
        return "both" if frozenset(beaten) in named else _listed(beaten)
    return "all others" if rest and len(beaten) > 2 else _listed(beaten)


def _range(metric: str, differences: list[float], only: Pair) -> str:
    size, sure = _size(metric, only)
    if len(differences) == 1:
        return f"{size} ({sure})"
    low, high = gap(metric, min(differences), max(differences))
    named = unit(metric) or f"in {metric.rpartition('/')[2]}"
    return f"{low} {named}" if low == high else f"{low} to {high} {named}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > MANY:
        more = len(names) - MANY
        return f"{', '.join(names[:MANY])} and {more} {'other' if more == 1 else 'others'}"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _seeds(pairs: Sequence[Pair]) -> str:
    counts = [len(pair.seeds) for pair in pairs]
    return f"{counts[0]} seeds" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)} seeds in common"


def _matched(matches: Sequence[Mapping[str, Plain]]) -> str:
    """`200k recurrent parameters`, if all sizes were matched to it closely; empty otherwise."""
    (kind, part, target), *others = [tuple(match.get(key) for key in ("kind", "count", "target")) for match in matches]
    missed = any(abs(match.get("mismatch") or 0) > _ALIKE for match in matches)
    if missed or kind not in _MATCHED or not isinstance(target, int) or set(others) - {(kind, part, target)}:
        return ""
    return f"{_rounded(target)} {'recurrent ' if kind == 'parameters' and part != 'all' else ''}{_MATCHED[kind]}"


def _alike(parameters: Sequence[Mapping[str, int]]) -> str:
    """As `_matched`, for counts that are about the same; empty for differing counts."""
    kinds = {
        "recurrent parameters": [counts.get("recurrent", 0) for counts in parameters],
        "parameters without the embedding": [
            counts.get("total", 0) - counts.get("embedding", 0) for counts in parameters
        ],
    }
    for name, sizes in kinds.items():
        if min(sizes) > 0 and max(sizes) - min(sizes) <= _ALIKE * max(sizes):
            return f"{_rounded(sum(sizes) / len(sizes))} {name}"
    return ""


def _rounded(count: float) -> str:
    for size, name in ((1e6, "M"), (1e3, "k")):
        if count >= size * 0.9995:
            short = count / size
            return f"{short:.3g}{name}"
    return f"{count:.0f}"


def _how(ranked: list[str], pairs: Sequence[Pair], metric: str) -> list[str]:
    sizes = sorted({pair.examples for pair in pairs})
    over = "over training runs (seeds) alone, on these test examples"
    if sizes[-1]:
        over = f"over training runs (seeds) and {sizes[-1]:,} test examples"
    if sizes[-1] and not sizes[0]:
        over += ", or over runs alone where one of a pair left no scores of its examples"
    family = "the one pair" if len(pairs) == 1 else f"all {len(pairs)} pairs"
    lines = [
        f"Told apart: p below {ALPHA:g} after Holm's correction over {family} of {metric}, {over}; "
        "each 95 % CI is of its pair by itself."
    ]
    if min(len(pair.seeds) for pair in pairs) < 3:
        lines.append("Two seeds can only tell very large differences: run more with seeds=5.")
    missing = len(ranked) * (len(ranked) - 1) // 2 - len(pairs)
    if missing:
        lines.append(
            f"{missing} {'pair has' if missing == 1 else 'pairs have'} fewer than two seeds in common and no verdict."
        )
    return lines
