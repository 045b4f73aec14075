"""A comparison in numbers: for each label the mean and the spread over seeds, what it cost, and what went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lightning_seq.errors import UserError, near
from lightning_seq.record import Record, runs_in
from lightning_seq.report.artifacts import log_path

HEADLINES = ("accuracy", "macro_f1", "f1", "bleu", "bits_correct", "perplexity", "loss")
_LOWER_IS_BETTER = ("loss", "perplexity", "error", "mse", "mae", "rmse", "brier", "ece", "nll", "seconds")
PARAMETER_KINDS = ("total", "embedding", "recurrent", "head")


@dataclass(frozen=True)
class Statistic:
    """One number over the seeds of a label. `values` is by seed; None where a run gave no finite number."""

    values: dict[int, float | None] = field(default_factory=dict)

    @property
    def known(self) -> list[float]:
        return [value for value in self.values.values() if value is not None]

    @property
    def n(self) -> int:
        """How many seeds gave a number: what `mean` and `std` are made of."""
        return len(self.known)

    @property
    def mean(self) -> float | None:
        return fmean(self.known) if self.known else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation (n - 1 in the denominator); None with fewer than two seeds."""
        return stdev(self.known) if self.n > 1 else None


@dataclass(frozen=True)
class Row:
    """One label of the comparison. Numbers come from its finished runs alone.

    counts:            runs by status.
    tokens_per_second: of training; `shared_machine` where any run was timed while others ran beside it.
    seconds:           of training.
    """

    label: str
    model: str
    cell: str | None
    engine: str
    counts: dict[str, int]
    seeds: tuple[int, ...]
    metrics: dict[str, Statistic]
    parameters: dict[str, int]
    tokens_per_second: Statistic
    seconds: Statistic
    shared_machine: bool

    @property
    def done(self) -> int:
        return self.counts.get("done", 0)

    @property
    def failed(self) -> int:
        return self.counts.get("failed", 0)

    def metric(self, name: str | None) -> Statistic:
        return self.metrics.get(name, Statistic()) if name else Statistic()


@dataclass(frozen=True)
class Problem:
    """A run that is not done: failed, interrupted, or still running. `log` is relative to the comparison."""

    label: str
    seed: int
    status: str
    error: str | None
    log: Path | None


@dataclass(frozen=True)
class Summary:
    """What a comparison found.

    headline: the metric that the tables lead with, None when no run is done.
    metrics:  the names of all metrics, the headline first, those on the test split before the others.
    seeds:    every seed that any label finished.
    """

    name: str
    task: str
    data: str
    headline: str | None
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    seeds: tuple[int, ...]

    @property
    def runs(self) -> int:
        return sum(sum(row.counts.values()) for row in self.rows)

    @property
    def done(self) -> int:
        return sum(row.done for row in self.rows)

    @property
    def single_seed(self) -> bool:
        """Whether some label has a result, and none has more than one seed."""
        return self.done > 0 and all(row.done <= 1 for row in self.rows)

    @property
    def shared_machine(self) -> bool:
        return any(row.shared_machine and row.tokens_per_second.n for row in self.rows)

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics that a table has room for: those on the test split, or those on validation where none is."""
        split = "test/" if any(name.startswith("test/") for name in self.metrics) else "val/"
        return tuple(name for name in self.metrics if name.startswith(split) or name == self.headline)

    def best(self) -> Row | None:
        """The label with the best mean of the headline metric."""
        ranked = [(row.metric(self.headline).mean, row) for row in self.rows]
        known = [(mean, row) for mean, row in ranked if mean is not None]
        if not known or self.headline is None:
            return None
        sign = -1 if lower_is_better(self.headline) else 1
        return max(known, key=lambda item: sign * item[0])[1]


def lower_is_better(metric: str) -> bool:
    return any(part in _LOWER_IS_BETTER for part in metric.rsplit("/", 1)[-1].split("_"))


def summarise(directory: Path, headline: str | None = None) -> Summary:
    """The summary of the comparison in `<runs>/<name>/`.

    headline: the metric to lead with; without it accuracy on the test split, or the first of `HEADLINES` there is.

    Raises UserError when the directory is missing or holds no record, or when no run has that metric.
    """
    return summarise_runs(directory, runs_of(directory), headline)


def runs_of(directory: Path) -> list[tuple[Path, Record]]:
    """The runs of a comparison; UserError where there is none."""
    if not directory.is_dir():
        raise UserError(f"{directory} is not there: give the directory of a comparison, <runs>/<name>")
    runs = runs_in(directory)
    if not runs:
        raise UserError(
            f"{directory} holds no run: expected {directory.name}/<label>-seed<k>/record.json; "
            "give the directory of a comparison"
        )
    return runs


def summarise_runs(directory: Path, runs: list[tuple[Path, Record]], headline: str | None = None) -> Summary:
    """As `summarise`, from records that were read already, in the order they started."""
    records = [record for _, record in runs]
    done = [record for record in records if record.status == "done"]
    names = list(dict.fromkeys(name for record in done for name in record.metrics))
    if headline is not None and headline not in names:
        raise UserError(f"no finished run has the metric {headline}: {near(headline, names)}")
    chosen = headline or next(iter(sorted(names, key=_rank)), None)
    labels = list(dict.fromkeys(record.label for record in records))
    return Summary(
        name=directory.resolve().name,
        task=_joined(record.task for record in records),
        data=_joined(record.data for record in records),
        headline=chosen,
        metrics=tuple(sorted(names, key=lambda name: (name != chosen, *_rank(name)))),
        rows=tuple(_row(label, [record for record in records if record.label == label]) for label in labels),
        problems=tuple(
            Problem(record.label, record.seed, record.status, record.error, _log(directory, run, record))
            for run, record in runs
            if record.status != "done"
        ),
        seeds=tuple(sorted({record.seed for record in done})),
    )


def training_seconds(record: Record) -> float | None:
    """Seconds spent training: the latest time on any of the run's curves."""
    times = [number(point[2]) for curve in record.curves.values() for point in curve if len(point) == 4]
    known = [time for time in times if time is not None]
    return max(known) if known else None


def number(value: Any) -> float | None:
    """`value` as a finite float, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _rank(metric: str) -> tuple[int, int, str]:
    split, _, name = metric.rpartition("/")
    splits, names = ("test", "val"), HEADLINES
    return (
        splits.index(split) if split in splits else len(splits),
        names.index(name) if name in names else len(names),
        metric,
    )


def _row(label: str, records: list[Record]) -> Row:
    done = sorted((record for record in records if record.status == "done"), key=lambda record: record.seed)
    counts: dict[str, int] = {}
    for record in records:
        counts[record.status] = counts.get(record.status, 0) + 1
    names = list(dict.fromkeys(name for record in done for name in record.metrics))
    sized = next((record for record in [*done, *records] if record.parameters), records[0])
    return Row(
        label=label,
        model=records[0].model,
        cell=records[0].cell,
        engine=_joined(record.engine or "" for record in done or records),
        counts=counts,
        seeds=tuple(record.seed for record in done),
        metrics={name: Statistic({record.seed: number(record.metrics.get(name)) for record in done}) for name in names},
        parameters=dict(sized.parameters),
        tokens_per_second=Statistic(
            {record.seed: number(record.throughput.get("tokens_per_second")) for record in done}
        ),
        seconds=Statistic({record.seed: training_seconds(record) for record in done}),
        shared_machine=any(record.jobs > 1 for record in done),
    )


def _joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def _log(directory: Path, run: Path, record: Record) -> Path | None:
    path = log_path(run, record)
    return path.relative_to(directory) if path is not None else None
