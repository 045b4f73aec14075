"""The runs of a data set by their test set: the verdict never compares labels of different test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning_seq.identity import value_at
from lightning_seq.records.record import Record

DISTANCES = {
    "Adding": ("length", "test/success"),
    "CopyMemory": ("distance", "test/accuracy"),
    "Agreement": ("distance", "test/accuracy"),
}
"""By the class of the source: the setting of its distance, and the metric with the share of right answers."""

Run = tuple[Path, Record]


def distance(record: Record) -> int | None:
    """The distance in steps of the run's memory problem; None for other data."""
    steps = value_at(record.config, f"data.{setting_and_metric(record)[0]}")
    return steps if isinstance(steps, int) else None


def setting_and_metric(record: Record) -> tuple[str, str]:
    """The entry of `DISTANCES` for the data of a run; empty for other data."""
    source = str(value_at(record.config, "data.source._target_"))
    return DISTANCES.get(source.rpartition(".")[2], ("", ""))


def by_test_set(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs by the name of their test set, empty if there is only one.

    Runs of labels are of one test set if they have one distance and, seed by seed, one split; a run without a recorded
    split may be in any.
    """
    labels: dict[str, list[Run]] = {}
    for run in runs:
        labels.setdefault(run[1].label, []).append(run)
    sets: list[list[Run]] = []
    for members in labels.values():
        for group in sets:
            if _alike(group, members):
                group.extend(members)
                break
        else:
            sets.append(list(members))
    if len(sets) == 1:
        return {"": sets[0]}
    named: dict[str, list[Run]] = {}
    for number, members in enumerate(sets, 1):
        steps, key = distance(members[0][1]), setting_and_metric(members[0][1])[0]
        name = f"{key} {steps}" if steps is not None else f"test set {number}"
        named[name if name not in named else f"{name}, test set {number}"] = members
    return named


def _alike(first: Sequence[Run], second: Sequence[Run]) -> bool:
    if distance(first[0][1]) != distance(second[0][1]):
        return False
    mine, others = _splits(first), _splits(second)
    shared = mine.keys() & others.keys()
    if shared:
        return all(mine[seed] == others[seed] for seed in shared)
    return not mine or not others or set(mine.values()) == set(others.values())


def _splits(runs: Sequence[Run]) -> Mapping[int, str]:
    recorded = {record.seed: record.fingerprints.get("split") for _, record in runs}
    return {seed: split for seed, split in recorded.items() if split is not None}
