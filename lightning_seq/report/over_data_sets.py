"""A comparison over several data sets: one table of labels, one of pairs, and the conclusion in words.

The statistics are in `lightning_seq.significance.over_data_sets`. A score is the headline metric on a scale that data
sets share: 0 is the baseline of the data set, 1 the best possible value, and perplexities count by their logarithm. So
an accuracy of 0.91 is 0.64 where the majority class gives 0.75, and a perplexity is the share of the unigrams' loss
that is gone. Shares and percentages without a baseline are measured from 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record
from lightning_seq.report.architectures import by_architecture
from lightning_seq.report.scale import scale
from lightning_seq.report.test_sets import Run, by_test_set
from lightning_seq.report.verdict import MANY, listed, probability
from lightning_seq.significance import over_data_sets as statistics
from lightning_seq.significance.simultaneous import ALPHA

FEW_SEEDS = 4
"""With fewer seeds, intervals are too narrow: see `bootstrap`."""

SAME = "labels of two data sets are the same if their model, cell, attention and initialisation are"

_THRESHOLDS = 51


@dataclass(frozen=True)
class DataSet:
    """The runs on one data set whose results are shown. baseline: its value of the metric, None if there is none."""

    name: str
    metric: str | None
    baseline: float | None
    runs: Sequence[Run]


@dataclass(frozen=True)
class Estimate:
    """A statistic and the ends of its 95 % interval; nan where every label has one seed."""

    value: float
    low: float
    high: float

    def interval(self, decimals: int = 2) -> str:
        """Empty where there is none, or all resamples agree: too few runs to tell more."""
        return f"{self.low:.{decimals}f} to {self.high:.{decimals}f}" if self.low < self.high else ""


@dataclass(frozen=True)
class RankedLabel:
    """A label over all data sets.

    ranks, scores: on each data set, by the mean score.
    middle:        the interquartile mean of the scores of its runs.
    profile:       the share of its runs with a score above each of the thresholds, with an interval.
    """

    name: str
    ranks: tuple[float, ...]
    scores: tuple[float, ...]
    middle: Estimate
    profile: tuple[Estimate, ...]

    @property
    def mean_rank(self) -> float:
        return sum(self.ranks) / len(self.ranks)


@dataclass(frozen=True)
class RankedPair:
    """Two labels; `better` has the better signed ranks if they are told apart, else it is better in more pairs of runs.

    p:           of Wilcoxon's signed-rank test over data sets, after Holm's correction.
    improvement: the chance that a run of `better` is better than a run of `other` on the same data set.
    """

    better: str
    other: str
    p: float
    improvement: Estimate

    @property
    def told_apart(self) -> bool:
        return self.p < ALPHA


@dataclass(frozen=True)
class OverDataSets:
    """What holds over several data sets.

    names:      of the data sets.
    labels:     from the best mean rank down.
    pairs:      of all labels, in the order of the labels.
    thresholds: of the profiles.
    friedman:   p of the hypothesis that all labels are alike.
    sentences:  for people; how: the tests, the scale, and what was left out, as lines.
    """

    names: tuple[str, ...]
    labels: tuple[RankedLabel, ...]
    pairs: tuple[RankedPair, ...]
    thresholds: tuple[float, ...]
    friedman: float
    sentences: tuple[str, ...] = ()
    how: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Scored:
    """A data set with the scores of its runs, by architecture.

    failed:   how many of its runs failed.
    baseline: whether it has one.
    """

    name: str
    scores: Mapping[str, np.ndarray]
    failed: int
    baseline: bool


def over_data_sets(data_sets: Sequence[DataSet]) -> OverDataSets | None:
    """The comparison over these data sets; None unless at least two of them have two labels in common.

    It is over all data sets that have those two labels that occur together most often.
    """
    scored, notes = _scored(data_sets)
    names = [name for data_set in scored for name in data_set.scores]
    together = Counter(two for data_set in scored for two in combinations(sorted(data_set.scores), 2))
    widest = max(together, key=lambda two: together[two], default=("", ""))
    if together[widest] < 2:
        return None
    kept = [data_set for data_set in scored if all(name in data_set.scores for name in widest)]
    labels = [name for name in dict.fromkeys(names) if all(name in data_set.scores for data_set in kept)]
    notes += [f"{data_set.name} does not have both {listed(widest)}" for data_set in scored if data_set not in kept]
    alone = [
        f"{name} has results on {listed(on)} alone"
        for name in dict.fromkeys(names)
        if name not in labels and (on := [data_set.name for data_set in kept if name in data_set.scores])
    ]
    if alone:
        notes.append(f"{'; '.join(alone)} ({SAME})")
    runs = {label: [data_set.scores[label] for data_set in kept] for label in labels}
    means = np.array([[each.mean() for each in runs[label]] for label in labels]).T
    ranked = statistics.ranks(means)
    order = sorted(range(len(labels)), key=lambda place: (ranked[:, place].mean(), -means[:, place].mean()))
    thresholds = _thresholds(runs)
    rows = tuple(
        RankedLabel(
            labels[place],
            tuple(ranked[:, place].tolist()),
            tuple(means[:, place].tolist()),
            _estimates(statistics.bootstrap(statistics.interquartile_mean, runs[labels[place]]))[0],
            _estimates(statistics.bootstrap(partial(statistics.profile, thresholds=thresholds), runs[labels[place]])),
        )
        for place in order
    )
    decided = statistics.compare_pairs(means[:, order])
    pairs = []
    for (first, second), (sign, p) in zip(combinations([row.name for row in rows], 2), decided, strict=True):
        forward = sign > 0 if p < ALPHA else statistics.improvement(runs[first], runs[second]) >= 0.5
        better, other = (first, second) if forward else (second, first)
        chance = _estimates(statistics.bootstrap(statistics.improvement, runs[better], runs[other]))[0]
        pairs.append(RankedPair(better, other, p, chance))
    result = OverDataSets(
        tuple(data_set.name for data_set in kept),
        rows,
        tuple(pairs),
        tuple(thresholds.tolist()),
        statistics.friedman(ranked),
    )
    seeds = min(len(each) for values in runs.values() for each in values)
    failed = sum(data_set.failed for data_set in kept)
    bare = [data_set.name for data_set in kept if not data_set.baseline]
    return replace(result, sentences=tuple(_sentences(result)), how=tuple(_how(result, seeds, failed, bare, notes)))


def _scored(data_sets: Sequence[DataSet]) -> tuple[list[_Scored], list[str]]:
    """The data sets that can be compared with others, and why the rest cannot."""
    comparable, notes = [], []
    for data_set in data_sets:
        ended = [record for _, record in data_set.runs if record.status in ("done", "failed")]
        if data_set.metric is None or not any(record.status == "done" for record in ended):
            continue
        if len(by_test_set(data_set.runs)) > 1:
            notes.append(f"{data_set.name} has several test sets")
        elif (ends := _ends(data_set)) is None:
            notes.append(f"{data_set.name} has no baseline that {data_set.metric} is measured from")
        else:
            comparable.append((data_set, ends, ended))
    places = {id(record): place for place, (*_, ended) in enumerate(comparable) for record in ended}
    groups = by_architecture([record for *_, ended in comparable for record in ended], lambda run: places[id(run)])
    architectures = {id(record): name for name, members in _named(groups).items() for record in members}
    scored = []
    for data_set, ends, ended in comparable:
        values: dict[str, list[float]] = {}
        for record in ended:
            values.setdefault(architectures[id(record)], []).append(_compared(record, str(data_set.metric)))
        scores = {name: statistics.normalised(np.array(runs), *ends) for name, runs in values.items()}
        known = np.concatenate(list(scores.values()))
        worst = np.nanmin([0.0, *known])
        scores = {name: np.where(np.isnan(runs), worst, runs) for name, runs in scores.items()}
        scored.append(_Scored(data_set.name, scores, int(np.isnan(known).sum()), data_set.baseline is not None))
    return scored, notes


def _compared(record: Record, metric: str) -> float:
    """The metric of a run on the scale on which it is compared; nan for a run that failed or gave no finite value."""
    value = number(record.metrics.get(metric)) if record.status == "done" else None
    compared = math.inf if value is None else scale(metric).compared(value)
    return compared if math.isfinite(compared) else math.nan


def _ends(data_set: DataSet) -> tuple[float, float] | None:
    """The baseline and the best possible value on the scale on which the metric is compared; None without both."""
    measure = scale(data_set.metric or "")
    best = 0.0 if measure.lower_is_better else measure.limits[1]
    if data_set.baseline is not None:
        first = measure.compared(data_set.baseline)
    else:
        first = math.inf if measure.lower_is_better else measure.limits[0]
    way = (first - best) if measure.lower_is_better else (best - first)
    return (first, best) if 0 < way < math.inf else None


def _named(groups: Sequence[Sequence[Record]]) -> dict[str, Sequence[Record]]:
    """Architectures by name: the words that all its labels share, or its model; a namesake gets a number."""
    named: dict[str, Sequence[Record]] = {}
    for members in groups:
        labels = [record.label.split("-") for record in members]
        words = [word for word in labels[0] if all(word in label for label in labels)]
        name = "-".join(words) or members[0].model
        number = 1 + sum(other.partition(" (")[0] == name for other in named)
        named[name if number == 1 else f"{name} ({number})"] = members
    return named


def _thresholds(runs: Mapping[str, Sequence[np.ndarray]]) -> np.ndarray:
    """From the least score, or -1 where it is below that, to the greatest one."""
    scores = np.concatenate([each for values in runs.values() for each in values])
    return np.linspace(max(-1.0, float(scores.min())), float(scores.max()), _THRESHOLDS)


def _estimates(ends: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[Estimate, ...]:
    columns = (np.atleast_1d(part).tolist() for part in ends)
    return tuple(Estimate(value, low, high) for value, low, high in zip(*columns, strict=True))


def _sentences(result: OverDataSets) -> list[str]:
    S, L = len(result.names), len(result.labels)
    first = result.labels[0]
    least = statistics.fewest_data_sets(L)
    tied = [row.name for row in result.labels if row.mean_rank == first.mean_rank]
    rank = f"mean rank {first.mean_rank:.3g} of {L}"
    leads = f"{first.name} ranks first ({rank})" if len(tied) == 1 else f"{listed(tied)} rank first ({rank} each)"
    if least > S:
        sentences = [
            f"Over {S} data sets, {leads}. Ranks on {S} data sets decide no pair: {L} labels need at least {least}."
        ]
    else:
        sentences = [f"Over {S} data sets, {leads}; {_decided(result)}."]
    pair, chance = result.pairs[0], result.pairs[0].improvement
    if chance.value == 1:
        runs = f"On each of these data sets, every run of {pair.better} is better than all runs of {pair.other}."
    else:
        interval = f" (95 % CI {chance.interval()})" if chance.interval() else ""
        runs = (
            f"On these data sets, a run of {pair.better} is better than a run of {pair.other} with probability "
            f"{chance.value:.2f}{interval}."
        )
    return [*sentences, runs, *_by_score(result)]


def _by_score(result: OverDataSets) -> list[str]:
    """The label with the best interquartile mean, where it is not the first by rank: ranks hide distances."""
    first, best = result.labels[0], max(result.labels, key=lambda row: row.middle.value)
    if best is first:
        return []
    interval = f" (95 % CI {best.middle.interval(3)})" if best.middle.interval(3) else ""
    return [
        f"By the scores themselves, {best.name} leads: their interquartile mean is {best.middle.value:.3f}{interval}, "
        f"that of {first.name} {first.middle.value:.3f}."
    ]


def _decided(result: OverDataSets) -> str:
    """The first label against each other one, and how many of the other pairs are told apart."""
    first = result.labels[0].name
    mine = [pair for pair in result.pairs if first in (pair.better, pair.other)]
    beaten = [pair.other for pair in mine if pair.told_apart and pair.better == first]
    better = [pair.better for pair in mine if pair.told_apart and pair.better != first]
    unsettled = [pair.other if pair.better == first else pair.better for pair in mine if not pair.told_apart]
    parts = [f"{first} beats {_named_or_counted(beaten)}"] if beaten else []
    parts += [f"{_named_or_counted(better)} beat{'s' if len(better) == 1 else ''} {first}"] if better else []
    parts += [f"not decided: {first} against {_named_or_counted(unsettled)}"] if unsettled else []
    rest = [pair for pair in result.pairs if pair not in mine]
    if rest:
        told = sum(pair.told_apart for pair in rest)
        pairs = "other pair" if len(rest) == 1 else "other pairs"
        parts.append(f"{told} of {len(rest)} {pairs} {'is' if told == 1 else 'are'} told apart")
    return "; ".join(parts)


def _named_or_counted(labels: Sequence[str]) -> str:
    return listed(labels) if len(labels) <= MANY else f"{len(labels)} labels"


def _how(result: OverDataSets, seeds: int, failed: int, bare: Sequence[str], notes: Sequence[str]) -> list[str]:
    """bare: data sets without a baseline."""
    holm = f", with Holm's correction for {len(result.pairs)} pairs" if len(result.pairs) > 1 else ""
    lines = [
        f"Friedman's test of equal ranks: p {_equals(result.friedman)}. Beats: p below {ALPHA} by Wilcoxon's exact "
        f"signed-rank test of the scores over data sets{holm}; unlike Nemenyi's critical difference of mean ranks, it "
        "does not depend on the other labels (Benavoli et al. 2016).",
        "Scores: 0 is the baseline of the data set, 1 the best possible value; perplexities count by their logarithm."
        + (f" Without a baseline, 0 is the metric's own: {', '.join(bare)}." if bare else ""),
    ]
    if seeds < 2:
        lines.append("One seed for some labels: their runs give no interval.")
    else:
        narrow = " and are too narrow: with 2 seeds they cover about 75 %, with 3 about 90 %"
        lines.append(
            "Intervals: stratified bootstrap over the seeds of each label and data set (Agarwal et al. 2021); they "
            f"hold for these data sets{narrow if seeds < FEW_SEEDS else ''}."
        )
    if failed:
        runs = "1 failed run counts" if failed == 1 else f"{failed} failed runs count"
        lines.append(f"{runs} as the worst run of the data set, or as its baseline if that is worse.")
    return lines + ([f"Left out of these ranks: {'; '.join(notes)}."] if notes else [])


def _equals(p: float) -> str:
    return probability(p) if p < 0.001 else f"= {probability(p)}"
