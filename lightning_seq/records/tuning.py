"""tuning.json: the trials of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import Plain, read_json
from lightning_seq.records.numbers import number

FILE = Path("tune", "tune.json")


@dataclass(frozen=True)
class Tuning:
    """The trials of one label, as `tune.json` holds them.

    points:   of each trial, by key.
    values:   of `metric` on validation; None where a trial diverged.
    chosen:   the number of the trial that was taken, from 1.
    expected: what the best of 1 … N trials is expected to be.
    """

    label: str
    metric: str
    mode: str
    points: tuple[dict[str, float], ...]
    values: tuple[float | None, ...]
    chosen: int
    expected: tuple[float, ...]

    @property
    def filled(self) -> list[float]:
        """The values, the worst of them where a trial diverged."""
        known = [value for value in self.values if value is not None]
        worst = max(known) if self.mode == "min" else min(known)
        return [worst if value is None else value for value in self.values]

    def to_plain(self) -> dict[str, Plain]:
        return {
            "metric": self.metric,
            "mode": self.mode,
            "points": list(self.points),
            "values": list(self.values),
            "chosen": self.chosen,
            "expected_best": list(self.expected),
        }

    @classmethod
    def from_plain(cls, label: str, plain: Mapping[str, Plain]) -> Tuning:
        values = tuple(number(value) for value in plain["values"])
        points = tuple({str(key): float(value) for key, value in point.items()} for point in plain["points"])
        expected = tuple(float(value) for value in plain["expected_best"])
        whole = len(points) == len(values) == len(expected) and 1 <= plain["chosen"] <= len(values)
        if not whole or values[plain["chosen"] - 1] is None or plain["mode"] not in ("min", "max"):
            raise ValueError(f"the trials of {label} are incomplete")
        return cls(label, str(plain["metric"]), plain["mode"], points, values, plain["chosen"], expected)


@dataclass(frozen=True)
class Tunings:
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
        return {"seed": self.seed, "trials": self.trials, "space": self.space, "entries": entries}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Tunings:
        """Raises one of `files.DAMAGE` for another form."""
        entries = tuple(Tuning.from_plain(label, entry) for label, entry in plain["entries"].items())
        return cls(plain.get("seed", 0), plain.get("trials", 0), plain.get("space", {}), entries)


def read_tunings(path: Path) -> list[Tuning]:
    """The tuning of each label in a `tune.json`. Raises one of `files.DAMAGE`."""
    return list(Tunings.from_plain(read_json(path, dict)).entries)
