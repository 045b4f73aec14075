"""The advice of a verdict: which label to take, in two or three short sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TypeVar

from lightning_seq.report.verdict import Verdict, listed
from lightning_seq.significance.compare import Decision, Pair

T = TypeVar("T", int, float)

FEW = 3
"""So many labels are named; more are counted."""

TEST_SETS = 4
"""With more test sets than these, the advice refers to the verdict."""


def advice(verdict: Verdict) -> str:
    """Which labels to take, how far the others are behind, and how many more seeds would decide the rest.

    Every statement is about the label with the best mean and another one. Without pairs: the sentences of the verdict.
    """
    if not verdict.pairs or verdict.scale is None:
        return " ".join(verdict.sentences)
    if len(verdict.parts) > TEST_SETS:
        return f"{len(verdict.parts)} test sets: the verdict has sentences for each."
    if verdict.parts:
        return " ".join(f"{part.test_set}: {advice(part)}" for part in verdict.parts)
    first, *others = verdict.ranked
    pairs = {frozenset((pair.better, pair.other)): pair for pair in verdict.pairs}
    against = {label: pairs[frozenset((first, label))] for label in others}
    equal, behind, unsettled = (
        [label for label in others if against[label].decision is decision]
        for decision in (Decision.EQUAL, Decision.BEATS, Decision.OPEN)
    )
    distance = verdict.scale.size(*_ends(against[label].difference for label in behind)) if behind else ""
    if not equal and not unsettled:
        return f"Take {first}: it beats {_counted(behind)} by {distance}."
    if equal:
        mutual = all(pairs[frozenset(two)].decision is Decision.EQUAL for two in combinations(equal, 2))
        who = "equal" if mutual else f"each equal to {first}"
        text = f"Take {_alternatives([first, *equal])}: {who} within {verdict.scale.equal()}"
    else:
        same = [label for label in unsettled if against[label].difference == 0]
        best = f"{first} has" if not same else f"{listed([first, *same])} have"
        apart = [label for label in unsettled if label not in same]
        among = f"are not told apart from {_counted(['each other', *apart])}"
        text = f"{best} the best mean, but {among if same else f'is not told apart from {_counted(unsettled)}'}"
    if behind:
        text += f"; {_counted(behind)} {'is' if len(behind) == 1 else 'are'} behind {first} by {distance}"
    return " ".join([f"{text}.", *_open(unsettled, [against[label] for label in unsettled], bool(equal))])


def _open(labels: Sequence[str], pairs: Sequence[Pair], named: bool) -> list[str]:
    """How many more seeds would decide, where that is known; else which labels are open, if they must be named."""
    more = {label: pair.needed - min(pair.seeds) for label, pair in zip(labels, pairs, strict=True) if pair.needed}
    sentences = []
    if more:
        counts = " to ".join(map(str, _ends(more.values())))
        seeds = "seed" if counts == "1" else "seeds"
        who = "" if len(labels) == 1 and not named else f"For {_counted(list(more))}, "
        sentences.append(f"{who}{counts} more {seeds} would decide.")
    rest = [label for label in labels if label not in more]
    if rest and (named or more):
        sentences.append(f"More seeds alone would not decide {_counted(rest)}.")
    return sentences


def _ends(values: Iterable[T]) -> list[T]:
    """The least and the greatest value, once if they are equal."""
    ordered = sorted(values)
    return list(dict.fromkeys((ordered[0], ordered[-1])))


def _counted(labels: Sequence[str]) -> str:
    return listed(labels) if len(labels) <= FEW else f"{len(labels)} other labels"


def _alternatives(labels: Sequence[str]) -> str:
    """`a, b or c`."""
    if len(labels) > FEW + 1:
        return f"{labels[0]} or one of {len(labels) - 1} others"
    return " or ".join([", ".join(labels[:-1]), labels[-1]])
