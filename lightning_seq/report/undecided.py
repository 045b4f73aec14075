"""The labels of a comparison for which more seeds are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lightning_seq.report.summary import Group, summarise
from lightning_seq.significance.compare import Decision


def undecided(directory: Path) -> frozenset[str]:
    """The labels of every test set with a pair that is not decided, or with labels that have too few runs for one."""
    return frozenset(label for group in summarise(directory).groups for label in _undecided(group))


def _undecided(group: Group) -> Iterator[str]:
    pairs = group.verdict.pairs
    known = [row.metric(group.headline).n for row in group.rows]
    if 1 in known or (not pairs and sum(n > 1 for n in known) > 1):  # the latter: no two seeds that all labels have
        yield from group.labels
    unsettled = {label for pair in pairs if pair.decision is Decision.OPEN for label in (pair.better, pair.other)}
    for pair in pairs:
        if {pair.better, pair.other} & unsettled:
            yield from (pair.better, pair.other)
