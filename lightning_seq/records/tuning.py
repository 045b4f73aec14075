"""tuning.json: the trials of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from lightning_seq.files import DAMAGE, Plain
from lightning_seq.records.json_record import JsonRecord, Key

FILE = Path("tune", "tune.json")


@dataclass(frozen=True)
class Tuning(JsonRecord):
    """The trials of one label, as `tune.json` holds them.

    points:      of each trial, by key.
    values:      of `metric` on validation; None if a trial diverged.
    chosen:      the number of the chosen trial, from 1.
    expected:    the expected best of 1 … N trials.
    logarithmic: keys of which logarithms were drawn.
    """

    label: str
    metric: str
    mode: str
    points: tuple[dict[str, float], ...]
    values: tuple[float | None, ...]
    chosen: int
    expected: Annotated[tuple[float, ...], Key("expected_best")]
    logarithmic: tuple[str, ...] = ()

    @property
    def filled(self) -> list[float]:
        """The values; a trial that diverged has the worst of the others."""
        known = [value for value in self.values if value is not None]
        worst = max(known) if self.mode == "min" else min(known)
        return [worst if value is None else value for value in self.values]

    def __post_init__(self) -> None:
        size = len(self.values)
        whole = len(self.points) == size == len(self.expected) and 1 <= self.chosen <= size
        if not whole or self.values[self.chosen - 1] is None or self.mode not in ("min", "max"):
            raise ValueError(f"the trials of {self.label} are incomplete")


@dataclass(frozen=True)
class Tunings(JsonRecord):
    """A `tune.json`.

    seed:   of the points.
    trials: of each label.
    space:  by key its range: `[low, high]`, or `[low, high, "log"]`.
    """

    seed: int
    trials: int
    space: dict[str, list[float | str]]
    entries: tuple[Tuning, ...]

    def to_plain(self) -> dict[str, Plain]:
        entries = {tuning.label: tuning.to_plain() for tuning in self.entries}
        for entry in entries.values():
            del entry["label"], entry["logarithmic"]
        return super().to_plain() | {"entries": entries}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        space = plain.get("space", {})
        logarithmic = [key for key, ends in space.items() if isinstance(ends, list) and ends[2:] == ["log"]]
        named = {"logarithmic": logarithmic}
        entries = [{"label": label, **named, **entry} for label, entry in plain["entries"].items()]
        return super().from_plain({"seed": 0, "trials": 0, "space": {}, **plain, "entries": entries})


def tunings_in(comparisons: Iterable[Path]) -> tuple[dict[str, Tuning], list[str]]:
    """The tuning of each label of these comparisons, and a note for each `tune.json` that cannot be read."""
    by_label: dict[str, Tuning] = {}
    wrong = []
    for directory in dict.fromkeys(comparisons):
        if not (directory / FILE).is_file():
            continue
        try:
            by_label = {tuning.label: tuning for tuning in Tunings.read(directory / FILE).entries} | by_label
        except DAMAGE as error:
            wrong.append(f"{directory.name}/{FILE.as_posix()} cannot be used ({' '.join(str(error).split())[:200]})")
    return by_label, wrong
