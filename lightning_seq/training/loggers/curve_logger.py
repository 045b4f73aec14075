"""The metrics of a run by step: metrics.csv and the curves of its record."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.files import Plain, finite, write_text
from lightning_seq.printable import table_cell

Point = list[float | None]


class CurveLogger(Logger):
    """Collects every logged number as `[step, epoch, seconds, value]` (epochs from 1) and writes `metrics.csv`.

    directory: of the run.
    seconds:   returns the seconds of training so far.
    changed:   called after new validation metrics.
    """

    def __init__(self, directory: Path, seconds: Callable[[], float], changed: Callable[[], None]) -> None:
        super().__init__()
        self.directory, self.seconds, self.changed = directory, seconds, changed
        self.curves: dict[str, list[Point]] = {}
        self._open = True

    @property
    def name(self) -> str:
        return "record"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Plain] | Namespace, *args: object, **kwargs: object) -> None:
        """Nothing: the record holds the configuration."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if not self._open:
            return
        epoch = None if metrics.get("epoch") is None else int(metrics["epoch"])
        for name, value in metrics.items():
            if name != "epoch":
                self.curves.setdefault(name, []).append([step, epoch, round(self.seconds(), 3), finite(value)])
        if any(name.startswith("val/") for name in metrics):
            self.save()
            self.changed()

    def close(self) -> None:
        """Ignore all later values: training is over."""
        self._open = False

    def at(self, step: int, prefix: str) -> dict[str, float | None]:
        """The values at a step of the metrics whose names begin with `prefix`."""
        return {
            name: points[-1][3]
            for name, curve in self.curves.items()
            if name.startswith(prefix) and (points := [point for point in curve if point[0] == step])
        }

    @rank_zero_only
    def save(self) -> None:
        """Write `metrics.csv`: a line for each step with a value, a column for each metric."""
        rows: dict[tuple[float | None, ...], dict[str, float | None]] = {}
        for name, points in self.curves.items():
            for step, epoch, seconds, value in points:
                row = rows.setdefault((step, epoch), {"step": step, "epoch": epoch, "seconds": seconds})
                row[name] = value
        text = io.StringIO()
        names = ["step", "epoch", "seconds", *self.curves]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writerow({name: table_cell(name) for name in names})
        writer.writerows(sorted(rows.values(), key=lambda row: (row["step"] or 0, row["seconds"] or 0.0)))
        write_text(self.directory / "metrics.csv", text.getvalue())
