"""The labels of a comparison for which more seeds are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lightning_seq.report.summary import Group, summarise
from lightning_seq.significance.compare import Decision


def undecided(directory: Path) -> frozenset[str]:
    """The labels of every test set with a pair that is not decided, or with a label that has too few runs for one."""
    return frozenset(label for group in summarise(directory).groups for label in _undecided(group))


def _undecided(group: Group) -> Iterator[str]:
    pairs = group.verdict.pairs
    if any(row.metric(group.headline).n == 1 for row in group.rows):
        yield from group.labels
    unsettled = {label for pair in pairs if pair.decision is Decision.OPEN for label in (pair.better, pair.other)}
    for pair in pairs:
        if {pair.better, pair.other} & unsettled:
            yield from (pair.better, pair.other)
