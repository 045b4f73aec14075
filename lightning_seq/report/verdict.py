"""The verdict of a comparison in words: which labels beat which, which are equal, and what is not decided.

The statistics are in `lightning_seq.significance`. Exactly one of three holds of each pair, and the sentence names
every pair: *beats* (the simultaneous interval excludes zero), *equal within x* (the interval is inside the region of
practical equivalence), *not decided*.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

import numpy as np

from lightning_seq.files import Plain
from lightning_seq.report import seed_draws
from lightning_seq.report.scale import SUCCESSES, Scale, scale
from lightning_seq.report.seed_draws import in_words
from lightning_seq.significance.compare import MOST_SEEDS, Comparison, Decision, Pair, compare
from lightning_seq.significance.simultaneous import ALPHA

ONE_OF_PLAN = "One seed for each label: nothing can be concluded from one seed."
ONE_SEED = f"{ONE_OF_PLAN} Run more with seeds=3."
NO_PAIR = "Fewer than two labels have two runs with a finite result: nothing can be concluded."
NO_BLOCK = "No two seeds have a finite result of every label: nothing can be concluded."
"""Where a seed draws the split or the vectors."""
MANY = 20
"""With more labels than these, the sentence names only the best one and counts the other pairs."""

_MATCHED = {"parameters": "parameters", "state": "bytes of state", "flops": "operations a token"}
ALIKE = 0.02
"""Parameter counts that differ by less are one count in words."""


@dataclass(frozen=True)
class Verdict:
    """The conclusions about the labels of a data set by its headline metric.

    sentences: for people.
    how:       the test, its sample, and what was left out, as lines.
    pairs:     of labels, those of the best labels first.
    best:      the label that beats every other one, None if no label does.
    scale:     of the differences in `pairs`.
    test_set:  its name; empty where it is the only one.
    parts:     the verdict on each test set, where there are several.
    left_out:  by label and seed, the runs with a result on which the verdict does not rest.
    """

    sentences: tuple[str, ...] = ()
    how: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    best: str | None = None
    scale: Scale | None = None
    test_set: str = ""
    parts: tuple[Verdict, ...] = ()
    left_out: frozenset[tuple[str, int]] = frozenset()

    @property
    def ranked(self) -> list[str]:
        """The labels of `pairs`, from the best mean down."""
        better = Counter(pair.better for pair in self.pairs)
        return sorted(
            {label for pair in self.pairs for label in (pair.better, pair.other)},
            key=lambda label: (-better[label], label),
        )

    def beaten(self, label: str) -> list[str]:
        """The labels that this one beats."""
        return [pair.other for pair in self.pairs if pair.better == label and pair.told_apart]

    def interval(self, pair: Pair) -> tuple[str, str]:
        """The difference and `-0.4 to 1.0`; the latter empty where there is no interval."""
        if self.scale is None:
            return "", ""
        difference, *ends = self.scale.shown(pair.difference, pair.low, pair.high)
        return difference, " to ".join(ends) if len(ends) == 2 else ""


@dataclass(frozen=True)
class Evaluation:
    """Scores of labels on one test set.

    name:     empty where all labels of a comparison share it; `length 4` where it is one of several.
    scores:   by label and seed, the metric of finished runs.
    failed:   by label, the seeds whose runs failed.
    examples: see `significance.compare.compare`.
    clusters: `[N]`, or None.
    drawn:    see `report.seed_draws.drawn`; if there is anything, seeds are compared as blocks.
    """

    scores: Mapping[str, Mapping[int, float]]
    name: str = ""
    failed: Mapping[str, frozenset[int]] | None = None
    examples: Mapping[tuple[str, int], np.ndarray] | None = None
    clusters: np.ndarray | None = None
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clause:
    """Pairs that share a decision: every label of `first` against every one of `second`, or among `first`."""

    decision: Decision
    first: tuple[str, ...]
    second: tuple[str, ...]
    pairs: tuple[Pair, ...]


def judge(
    metric: str | None,
    test_set: Evaluation,
    parameters: Mapping[str, Mapping[str, int]],
    matches: Mapping[str, Mapping[str, Plain]] | None = None,
    notes: Sequence[str] = (),
    stochastic_order: bool = False,
    rope: float | None = None,
    level: float = ALPHA,
    planned: bool = False,
) -> Verdict:
    """The verdict on the labels of one test set; labels without two scores are left out.

    parameters: by label, counts as in a record: the sentence names them if they are equal.
    matches:    by label, the target of its size, as in a record: the sentence names it if all are equal.
    notes:      on problems of the examples' scores.
    rope:       see `scale`.
    level:      of the test.
    planned:    whether a plan adds seeds by itself: pairs then hold no `needed`.
    """
    labels = test_set.scores.keys()
    scores = {label: by_seed for label, by_seed in test_set.scores.items() if by_seed}
    if metric is None or not scores:
        return Verdict(how=tuple(notes))
    if all(len(by_seed) == 1 for by_seed in scores.values()):
        return Verdict((ONE_OF_PLAN if planned else ONE_SEED,), tuple(notes))
    if len(scores) < 2:
        return Verdict(how=tuple(notes))
    measure = scale(metric, rope, level)
    scores = {label: measure.all_compared(runs) for label, runs in scores.items()}
    test_set = replace(test_set, scores=scores)
    comparison = _compare(test_set, measure, stochastic_order)
    if not comparison.pairs:
        enough = sum(len(by_seed) > 1 for by_seed in scores.values()) > 1
        return Verdict((NO_BLOCK if enough else NO_PAIR,), tuple(notes))
    sign = 1 if measure.lower_is_better else -1
    known = {label for pair in comparison.pairs for label in (pair.better, pair.other)}
    all_seeds = {seed for label in known for seed in scores[label]}
    seeds = set(seed_draws.common_seeds(scores, known)) if test_set.drawn else all_seeds
    judged = {label: [value for seed, value in scores[label].items() if seed in seeds] for label in known}
    ranked = sorted(known, key=lambda label: (sign * fmean(judged[label]), label))
    place = {label: number for number, label in enumerate(ranked)}
    pairs = tuple(sorted(comparison.pairs, key=lambda pair: sorted((place[pair.better], place[pair.other]))))
    if planned:
        pairs = tuple(replace(pair, needed=None) for pair in pairs)
    successes = SUCCESSES if level == ALPHA else replace(SUCCESSES, level=level)
    verdict = Verdict(pairs=pairs, scale=measure if comparison.threshold is None else successes)
    best = next((label for label in ranked if len(verdict.beaten(label)) == len(ranked) - 1), None)
    size = _matched([(matches or {}).get(label, {}) for label in ranked])
    size = size or _alike([parameters.get(label, {}) for label in ranked])
    conditions = f"At {size} and {_seeds(pairs)}" if size else f"With {_seeds(pairs)}"
    conditions += f", each with its own {in_words(test_set.drawn)}" if test_set.drawn else ""
    sentences = [
        f"{conditions}, {_sentence(ranked, verdict)}.",
        *_plan(verdict, comparison.examples),
        *_with_failures(test_set, measure, comparison),
    ]
    if test_set.name:
        sentences = [f"{test_set.name}: {sentence}" for sentence in sentences]
    blocks = seed_draws.how(test_set.drawn, scores, ranked) if test_set.drawn else []
    how = (*_how(labels, comparison, metric, measure, test_set), *blocks, *notes)
    left_out = frozenset((label, seed) for label in known for seed in set(scores[label]) - seeds)
    return replace(verdict, sentences=tuple(sentences), how=how, best=best, left_out=left_out)


def clauses(ranked: Sequence[str], pairs: Sequence[Pair]) -> list[Clause]:
    """The fewest clauses that name every pair exactly once, in the order of the ranking."""
    by_labels = {frozenset((pair.better, pair.other)): pair for pair in pairs}
    result: list[Clause] = []
    for decision in Decision:
        rest = {labels for labels, pair in by_labels.items() if pair.decision is decision}
        if decision is not Decision.BEATS:
            result += _among(ranked, rest, by_labels, decision)
        better = {labels: by_labels[labels].better for labels in rest}
        partners: dict[tuple[str, ...], list[str]] = {}
        for label in ranked:
            of_label = [
                other
                for other in ranked
                if (both := frozenset((label, other))) in rest
                and (better[both] == label if decision is Decision.BEATS else ranked.index(label) < ranked.index(other))
            ]
            if of_label:
                partners.setdefault(tuple(of_label), []).append(label)
        for second, first in partners.items():
            mine = tuple(by_labels[frozenset((a, b))] for a in first for b in second)
            result.append(Clause(decision, tuple(first), second, mine))
    return result


def _among(
    ranked: Sequence[str], rest: set[frozenset[str]], pairs: Mapping[frozenset[str], Pair], decision: Decision
) -> list[Clause]:
    """Groups of three labels and more that are neighbours in the ranking, all of whose pairs are in `rest`."""
    result = []
    start = 0
    while start < len(ranked):
        stop = start + 1
        while stop < len(ranked) and all(frozenset((ranked[stop], label)) in rest for label in ranked[start:stop]):
            stop += 1
        group = tuple(ranked[start:stop])
        if len(group) > 2:
            mine = [frozenset(two) for two in combinations(group, 2)]
            rest.difference_update(mine)
            result.append(Clause(decision, group, (), tuple(pairs[two] for two in mine)))
        start = stop if len(group) > 2 else start + 1
    return result


def probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _compare(test_set: Evaluation, measure: Scale, stochastic_order: bool = False) -> Comparison:
    return compare(
        test_set.scores,
        test_set.examples,
        test_set.clusters,
        measure.lower_is_better,
        measure.limits,
        measure.rope,
        bool(test_set.drawn),
        stochastic_order,
        measure.level,
    )


def _sentence(ranked: Sequence[str], verdict: Verdict) -> str:
    measure = verdict.scale or SUCCESSES
    if len(ranked) > MANY:
        beaten = verdict.beaten(ranked[0])
        counts = {kind: sum(pair.decision is kind for pair in verdict.pairs) for kind in Decision}
        return (
            f"{ranked[0]} has the best mean and beats {len(beaten)} of {len(ranked) - 1} others; of all "
            f"{len(verdict.pairs)} pairs, {counts[Decision.BEATS]} are told apart, {counts[Decision.EQUAL]} are equal "
            f"and {counts[Decision.OPEN]} are not decided"
        )
    said = {Decision.BEATS: _beats, Decision.EQUAL: _equal, Decision.OPEN: _open}
    return "; ".join(said[clause.decision](clause, measure, ranked) for clause in clauses(ranked, verdict.pairs))


def _beats(clause: Clause, measure: Scale, ranked: Sequence[str]) -> str:
    verb = "beats" if len(clause.first) == 1 else "beat"
    rest = len(clause.second) > 1 and len(clause.first) + len(clause.second) == len(ranked)
    losers = "all others" if rest and len(clause.second) > 2 else listed(clause.second)
    return f"{listed(clause.first)} {verb} {losers} by {_range(clause.pairs, measure)}"


def _equal(clause: Clause, measure: Scale, ranked: Sequence[str]) -> str:
    if clause.second:
        first = f"{listed(clause.first)} {'equals' if len(clause.first) == 1 else 'equal'} {listed(clause.second)}"
    else:
        first = f"{listed(clause.first)} are equal"
    return f"{first} within {measure.equal()}"


def _open(clause: Clause, measure: Scale, ranked: Sequence[str]) -> str:
    who = (
        f"{listed(clause.first)} against {listed(clause.second)}" if clause.second else f"among {listed(clause.first)}"
    )
    return f"not decided: {who} ({_range(clause.pairs, measure, bare=True)})"


def _range(pairs: Sequence[Pair], measure: Scale, bare: bool = False) -> str:
    """The difference of a pair with its interval; of several, their range and that of all intervals."""
    differences = [pair.difference for pair in pairs]
    ends = [end for pair in pairs for end in (pair.low, pair.high) if math.isfinite(end)]
    between = " to ".join(measure.shown(min(ends), max(ends))) if ends else ""
    name = f"{measure.coverage} CI" if len(pairs) == 1 else f"{measure.coverage} CIs from"
    interval = f"{name} {between}" if between else "the same in every seed"
    size = measure.size(min(differences), max(differences))
    return f"{size}, {interval}" if bare else f"{size} ({interval})"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _plan(verdict: Verdict, examples: int) -> list[str]:
    """How many seeds would decide the pairs that are not decided."""
    measure = verdict.scale or SUCCESSES
    unsettled = [pair for pair in verdict.pairs if pair.decision is Decision.OPEN]
    known = [pair for pair in unsettled if pair.needed is not None]
    if not known:
        return []
    first = min(known, key=lambda pair: (pair.needed or 0, -pair.difference))
    last = max(pair.needed or 0 for pair in known)
    text = f"seeds={first.needed} decides {first.better} against {first.other} ({measure.size(first.difference)})"
    if len(known) > 1 and len(known) == len(unsettled):
        text += f", and seeds={last} decides {'both' if len(known) == 2 else f'all {len(known)}'} open pairs"
    elif len(known) < len(unsettled):
        many = f", and seeds={last} decides {len(known)} of the {len(unsettled)} open pairs" if len(known) > 1 else ""
        text += f"{many}; the other pairs need {'more test examples' if examples else f'more than {MOST_SEEDS} seeds'}"
    return [f"If the differences are as large as they look: {text} (power 80 %)."]


def _with_failures(test_set: Evaluation, measure: Scale, comparison: Comparison) -> list[str]:
    """The second reading: failed runs count as the worst run of all."""
    failed = {label: seeds for label, seeds in (test_set.failed or {}).items() if seeds}
    if not failed:
        return []
    values = [value for runs in test_set.scores.values() for value in runs.values()]
    worst = max(values) if measure.lower_is_better else min(values)
    labels: dict[str, Mapping[int, float]] = {**{label: {} for label in failed}, **test_set.scores}
    scores = {label: {**dict.fromkeys(failed.get(label, ()), worst), **runs} for label, runs in labels.items()}
    second = _compare(replace(test_set, scores=scores, examples=None), measure)
    first = {frozenset((pair.better, pair.other)): pair for pair in comparison.pairs}
    changed = []
    for pair in second.pairs:
        before = first.get(frozenset((pair.better, pair.other)))
        if before is None or (before.decision, before.better) != (pair.decision, pair.better):
            word = {Decision.BEATS: "beats", Decision.EQUAL: "equals", Decision.OPEN: "against"}[pair.decision]
            ending = " is not decided" if pair.decision is Decision.OPEN else ""
            changed.append(f"{pair.better} {word} {pair.other}{ending}")
    count = sum(map(len, failed.values()))
    runs = f"the {count} failed runs count" if count > 1 else "the failed run counts"
    return [
        f"If {runs} as the worst of all: {'; '.join(changed)}." if changed else f"Nothing changes if {runs} as worst."
    ]


def _seeds(pairs: Sequence[Pair]) -> str:
    counts = [count for pair in pairs for count in pair.seeds]
    return f"{counts[0]} seeds" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)} seeds"


def _matched(matches: Sequence[Mapping[str, Plain]]) -> str:
    """`200k recurrent parameters`, if all sizes were matched to it closely; empty otherwise."""
    (kind, part, target), *others = [tuple(match.get(key) for key in ("kind", "count", "target")) for match in matches]
    missed = any(abs(match.get("mismatch") or 0) > ALIKE for match in matches)
    if missed or kind not in _MATCHED or not isinstance(target, int) or set(others) - {(kind, part, target)}:
        return ""
    return f"{rounded(target)} {'recurrent ' if kind == 'parameters' and part != 'all' else ''}{_MATCHED[kind]}"


def _alike(parameters: Sequence[Mapping[str, int]]) -> str:
    """As `_matched`, for counts that are about the same; empty for differing counts."""
    kinds = {
        "recurrent parameters": [counts.get("recurrent", 0) for counts in parameters],
        "parameters without the embedding": [
            counts.get("total", 0) - counts.get("embedding", 0) for counts in parameters
        ],
    }
    for name, sizes in kinds.items():
        if min(sizes) > 0 and max(sizes) - min(sizes) <= ALIKE * max(sizes):
            return f"{rounded(sum(sizes) / len(sizes))} {name}"
    return ""


def rounded(count: float) -> str:
    for size, name in ((1e6, "M"), (1e3, "k")):
        if count >= size * 0.9995:
            short = count / size
            return f"{short:.3g}{name}"
    return f"{count:.0f}"


def _how(labels: Set[str], comparison: Comparison, metric: str, measure: Scale, test_set: Evaluation) -> list[str]:
    pairs = comparison.pairs
    over = "over training runs (seeds) alone"
    over += ", each on its own test examples" if "test" in test_set.drawn else ", on these test examples"
    if comparison.examples:
        over = f"over training runs (seeds) and {comparison.examples:,} test examples"
        over += f" in {comparison.clusters:,} groups" if test_set.clusters is not None else ""
    family = "the pair" if len(pairs) == 1 else f"all {len(pairs)} pairs together"
    what = f"the logarithm of {metric}" if measure.log else metric
    if comparison.threshold is not None:
        lines = [
            f"Runs succeed or fail: {metric} is clearly above or below {comparison.threshold:.3g}. An exact test "
            f"compares the shares of successful runs, with simultaneous {measure.coverage} intervals for {family} "
            "(Bonferroni)."
        ]
    else:
        lines = [
            f"Beats: the simultaneous {measure.coverage} interval of the difference of {what} excludes zero (p below "
            f"{measure.level:.2g} for {family}), {over}; a label's variance is never taken to be less than "
            "that of all labels."
        ]
    if measure.rope and comparison.threshold is None:
        lines.append(f"Equal: the whole interval is inside ± {measure.equal()}, also where it excludes zero.")
    left_out = labels - {label for pair in pairs for label in (pair.better, pair.other)}
    if left_out:
        lines.append(f"Without a verdict, for fewer than two seeds: {', '.join(sorted(left_out))}.")
    return lines
