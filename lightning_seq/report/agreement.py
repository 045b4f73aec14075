"""Check by the records whether the runs were compared under equal conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightning_seq.records.record import Record

EXPECTED_EQUAL = ("data", "split", "batches", "embedding")
ALL = -1
"""Instead of a seed: the runs of all seeds."""
_MEANING = {
    "data": "prepared data",
    "split": "train, validation and test split",
    "batches": "order of the batches, seed by seed",
    "embedding": "word vectors at the start",
}


@dataclass(frozen=True)
class Agreement:
    """A condition that should be the same in all runs.

    equal:   False if runs differ, None if fewer than two recorded it.
    values:  each value with the runs that have it (with the seed alone, for batches that are equal).
    missing: runs that did not record it.
    """

    name: str
    meaning: str
    equal: bool | None
    values: dict[str, tuple[str, ...]]
    missing: tuple[str, ...]


def fingerprints(records: list[Record]) -> list[Agreement]:
    """Data, split and embedding must be equal in all runs, batches in all runs of the same seed; with `vary`, all of
    them."""
    return [
        _agreement(
            name,
            _MEANING[name] + (", seed by seed" if name != "batches" and any(one.drawn for one in records) else ""),
            _batches(records) if name == "batches" else [(record, record.fingerprints.get(name)) for record in records],
        )
        for name in EXPECTED_EQUAL
    ]


def _batches(records: list[Record]) -> list[tuple[Record, str | None]]:
    """The fingerprint of each run's batches: of runs of one seed over the epochs that all of them had."""
    values = []
    for record in records:
        same = [other for other in records if other.seed == record.seed and other.fingerprints.get("batches")]
        by_epoch = [(other.fingerprints.get("epochs") or "").split("-") for other in same]
        counts = {len(epochs) for epochs in by_epoch}
        value = record.fingerprints.get("batches")
        if value and len(counts) > 1 and all(all(epochs) for epochs in by_epoch):
            shared = min(counts)
            own = str(record.fingerprints["epochs"]).split("-")
            value = f"{own[shared - 1]} ({shared} epoch{'' if shared == 1 else 's'})"
        values.append((record, value))
    return values


def environment(records: list[Record]) -> list[Agreement]:
    """Versions, device and threads, and whether they were the same in all runs."""
    names = list(dict.fromkeys(name for record in records for name in record.conditions))
    return [_agreement(name, "", [(record, record.conditions.get(name)) for record in records]) for name in names]


def _agreement(name: str, meaning: str, recorded: Sequence[tuple[Record, object]]) -> Agreement:
    values: dict[str, list[str]] = {}
    by_group: dict[int, set[str]] = {}
    missing = []
    for record, value in recorded:
        run = f"{record.label} seed {record.seed}"
        if value is None:
            missing.append(run)
            continue
        values.setdefault(str(value), []).append(run)
        by_seed = name == "batches" or (name in EXPECTED_EQUAL and bool(record.drawn))
        by_group.setdefault(record.seed if by_seed else ALL, set()).add(str(value))
    comparable = sum(len(runs) for runs in values.values()) > len(by_group)
    equal = all(len(group) == 1 for group in by_group.values()) if comparable else None
    if equal and ALL not in by_group:
        values = {}
        for seed, group in sorted(by_group.items()):
            values.setdefault(next(iter(group)), []).append(f"seed {seed}")
    return Agreement(name, meaning, equal, {value: tuple(runs) for value, runs in values.items()}, tuple(missing))
