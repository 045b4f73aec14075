"""tuning.json: the trials of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import read_json
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


def read_tunings(path: Path) -> list[Tuning]:
    """The tuning of each label in a `tune.json`. Raises one of `files.DAMAGE`."""
    found = []
    for label, held in read_json(path, dict)["entries"].items():
        values = tuple(number(value) for value in held["values"])
        points = tuple({str(key): float(value) for key, value in point.items()} for point in held["points"])
        expected = tuple(float(value) for value in held["expected_best"])
        whole = len(points) == len(values) == len(expected) and 1 <= held["chosen"] <= len(values)
        if not whole or values[held["chosen"] - 1] is None or held["mode"] not in ("min", "max"):
            raise ValueError(f"the trials of {label} are incomplete")
        found.append(Tuning(label, str(held["metric"]), held["mode"], points, values, held["chosen"], expected))
    return found
