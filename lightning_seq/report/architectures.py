"""Which runs are of one architecture: at several distances of a problem, or on several data sets."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from lightning_seq.identity import SETTINGS, STRUCTURE, shown
from lightning_seq.records.record import Record
from lightning_seq.report.test_sets import setting_and_metric


def by_architecture(records: Sequence[Record], place: Callable[[Record], Hashable]) -> list[list[Record]]:
    """Runs grouped by architecture, at all places. place: of a run, such as its distance or its data set.

    An architecture is a model with its cell, scorer and initialisation as configured, without a size that was solved
    for. Other settings, such as a learning rate tuned for each place, make two architectures only where labels at one
    place differ in them.
    """
    by_structure: dict[str, list[Record]] = {}
    solved = {(place(record), record.label): str(key) for record in records if (key := record.match.get("key"))}
    for record in records:
        settings = flat_settings(record, STRUCTURE)
        if key := solved.get((place(record), record.label)):
            settings.pop(key, None)
            settings.pop("model.feedforward_size", None)  # it follows the width of a transformer
        by_structure.setdefault(repr((record.model, record.cell, settings)), []).append(record)
    return [part for members in by_structure.values() for part in _apart(members, place)]


def _apart(members: Sequence[Record], place: Callable[[Record], Hashable]) -> list[list[Record]]:
    """Runs of one structure, grouped by the settings in which labels at one place differ.

    Runs without such settings are seeds of one architecture, or are grouped by label where a seed comes twice.
    """
    keys: set[str] = set()
    for where in {place(record) for record in members}:
        labels = {record.label: record for record in members if place(record) == where}
        keys |= set(differing_keys(list(labels.values()), SETTINGS))
    # What seeds draw (`vary`) makes no other architecture.
    for where in {(place(record), record.label) for record in members}:
        keys -= set(differing_keys([run for run in members if (place(run), run.label) == where], SETTINGS))
    twice = len({(place(record), record.seed) for record in members}) < len(members)
    groups: dict[str, list[Record]] = {}
    for record in members:
        flat = flat_settings(record, SETTINGS)
        key = repr([flat.get(key) for key in sorted(keys)]) if keys else record.label if twice else ""
        groups.setdefault(key, []).append(record)
    return list(groups.values())


def differing_keys(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """The keys of these groups in which configurations differ, without the distance."""
    flats = [flat_settings(record, names) for record in records]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({repr(flat.get(key)) for flat in flats}) > 1]


def flat_settings(record: Record, names: Sequence[str]) -> dict[str, object]:
    """The settings of these groups by dotted key, without the distance."""
    distance = f"data.{setting_and_metric(record)[0]}"
    known = leaves({name: record.config.get(name) for name in names})
    return {shown(key): value for key, value in known if value != {} and shown(key) != distance}


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """The values of a nested dictionary by their dotted keys."""
    if isinstance(value, dict) and (value or not key):
        for name, item in value.items():
            yield from leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
