"""A comparison in numbers: for each label the mean and the spread over seeds and its cost; unfinished runs."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev

from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.records.artifacts import log_path
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record, runs_in
from lightning_seq.records.tuning import tunings_in
from lightning_seq.report.agreement import Agreement
from lightning_seq.report.baseline import Baseline, further_baselines, shared_baseline
from lightning_seq.report.chosen import Choice, without_test
from lightning_seq.report.chosen import choices as find_choices
from lightning_seq.report.fairness import fairness, unequal
from lightning_seq.report.headline import conventions, importance, lower_is_better, rank
from lightning_seq.report.machine import shared_machine
from lightning_seq.report.order_gain import order_gains
from lightning_seq.report.over_data_sets import DataSet, OverDataSets, over_data_sets
from lightning_seq.report.reading import Reading, Rope
from lightning_seq.report.scale import check_rope
from lightning_seq.report.test_set_verdicts import verdict_on
from lightning_seq.report.verdict import Verdict

PARAMETER_KINDS = ("total", "embedding", "recurrent", "head")


@dataclass(frozen=True)
class Statistic:
    """One number over the seeds of a label. values: by seed; None if the metric of a run is not finite."""

    values: dict[int, float | None] = field(default_factory=dict)

    @property
    def known(self) -> list[float]:
        return [value for value in self.values.values() if value is not None]

    @property
    def n(self) -> int:
        """The number of seeds with a finite value; `mean` and `std` are over these."""
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
    """One label of the comparison. Numbers come from its finished runs alone, metrics from those that the verdict
    rests on.

    counts:            runs by status.
    tokens_per_second: of training; `shared_machine` if other runs or programs held up any run while it was timed.
    seconds:           of training.
    match:             as the record holds it.
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
    match: dict[str, Plain] = field(default_factory=dict)

    @property
    def mismatch(self) -> float | None:
        """The relative, signed distance of the matched size from its target; None if the size was not matched."""
        return number(self.match.get("mismatch"))

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
    """A run that is not done: failed, interrupted, or still running. log: its path relative to the report."""

    label: str
    seed: int
    status: str
    error: str | None
    log: Path | None


@dataclass(frozen=True)
class Group:
    """The runs on one data set, for one task: they may be compared with each other.

    headline:    the metric that its table leads with, None when no run is done.
    metrics:     the names of all metrics, the headline first, those on the test split before the others.
    shown:       the metrics that a table has room for: those on the test split, or on validation if there are none;
                 the loss is left out if another metric equals it.
    conventions: definitions of metrics, a sentence each.
    seeds:       every seed that any label finished.
    verdict:     the conclusions about the labels by the headline.
    choices:     the labels chosen on validation; rows of other labels have no test results.
    fairness:    what the labels should have in common: size, tuning, convergence, machine.
    baseline:    shown below the labels; None if the finished runs share none. further: more of them.
    """

    task: str
    data: str
    headline: str | None
    metrics: tuple[str, ...]
    shown: tuple[str, ...]
    conventions: tuple[str, ...]
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    verdict: Verdict = field(default_factory=Verdict)
    choices: tuple[Choice, ...] = ()
    fairness: tuple[Agreement, ...] = ()
    baseline: Baseline | None = None
    further: tuple[Baseline, ...] = ()

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        return (*([self.baseline] if self.baseline else []), *self.further)

    def shows_test_of(self, record: Record) -> bool:
        return self.holds(record) and record.label not in self.unchosen

    @property
    def unchosen(self) -> frozenset[str]:
        """Labels whose test results are not shown."""
        return frozenset(label for choice in self.choices for label in choice.others)

    @property
    def title(self) -> str:
        return f"{self.data} ({self.task})" if self.data and self.task else self.data or self.task

    @property
    def labels(self) -> list[str]:
        return [row.label for row in self.rows]

    @property
    def done(self) -> int:
        return sum(row.done for row in self.rows)

    @property
    def single_seed(self) -> bool:
        """Whether some label has a result, and none has more than one seed."""
        return self.done > 0 and all(row.done <= 1 for row in self.rows)

    @property
    def matched(self) -> bool:
        """Whether any size was matched."""
        return any(row.mismatch is not None for row in self.rows)

    @property
    def shared_machine(self) -> bool:
        return any(row.shared_machine and row.tokens_per_second.n for row in self.rows)

    def holds(self, record: Record) -> bool:
        return (record.task, record.data) == (self.task, self.data)

    def best(self) -> tuple[Row, ...]:
        """The label with the best mean of the headline metric, or labels, if means are equal."""
        means = {row.label: row.metric(self.headline).mean for row in self.rows}
        known = [mean for mean in means.values() if mean is not None]
        if not known or self.headline is None:
            return ()
        best = min(known) if lower_is_better(self.headline) else max(known)
        return tuple(row for row in self.rows if means[row.label] == best)

    def marked(self) -> tuple[Row, ...]:
        """The best labels; none if only one label has results, or all have one seed."""
        shown = sum(row.metric(self.headline).n > 0 for row in self.rows)
        return self.best() if shown > 1 and not self.single_seed else ()

    def significant(self) -> Row | None:
        """The label that beats every other one by more than chance: tables have it in bold."""
        return next((row for row in self.rows if row.label == self.verdict.best), None)


@dataclass(frozen=True)
class Summary:
    """The results of a comparison: a group for each data set, in the order they started, and the unfinished runs.

    sources: the directories from which its runs were merged, in words; empty for a single directory.
    over:    the labels over all data sets; None unless at least two data sets have two labels in common.
    """

    name: str
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]
    sources: str = ""
    over: OverDataSets | None = None

    @property
    def runs(self) -> int:
        return sum(sum(row.counts.values()) for group in self.groups for row in group.rows)


def summarise(
    directory: Path, headline: str | None = None, stochastic_order: bool = False, rope: Rope | None = None
) -> Summary:
    """The summary of the comparison in `<runs>/<name>/`.

    headline:         the first metric of the table, if a data set has it; by default `importance` chooses.
    stochastic_order: whether the verdict's pairs hold almost stochastic order too.
    rope:             see `report.scale.scale`; by default the one in `comparison.json`.

    Raises UserError when the directory is missing or holds no record, when no run has that metric, and for a rope that
    holds every difference.
    """
    return summarise_runs(directory, runs_of(directory), headline, stochastic_order, rope)


def runs_of(directory: Path) -> list[tuple[Path, Record]]:
    """The runs of a comparison. Raises UserError for a directory without one."""
    if not directory.is_dir():
        raise UserError(f"{directory} is not there: give the directory of a comparison, <runs>/<name>")
    runs = runs_in(directory)
    if not runs:
        raise UserError(
            f"{directory} holds no run: expected {directory.name}/<label>-seed<k>/record.json; "
            "give the directory of a comparison"
        )
    return runs


def summarise_runs(
    directory: Path,
    runs: list[tuple[Path, Record]],
    headline: str | None = None,
    stochastic_order: bool = False,
    rope: Rope | None = None,
) -> Summary:
    """As `summarise`, from records that are already read, in the order they started.

    directory: where the report is to be written; the runs may lie elsewhere.
    """
    records = [record for _, record in runs]
    names = _metrics(records)
    if headline is not None and headline not in names:
        raise UserError(f"no finished run has the metric {headline}: {near(headline, names)}")
    kinds = dict.fromkeys((record.task, record.data) for record in records)
    reading = Reading.of(runs, rope, stochastic_order)
    groups = tuple(
        _group([run for run in runs if (run[1].task, run[1].data) == kind], headline, reading, rope) for kind in kinds
    )
    return Summary(
        name=directory.resolve().name,
        groups=groups,
        problems=tuple(
            Problem(record.label, record.seed, record.status, record.error, _log(directory, run, record))
            for run, record in runs
            if record.status != "done"
        ),
        over=over_data_sets([_data_set(group, groups, runs) for group in groups]) if len(groups) > 1 else None,
    )


def _data_set(group: Group, groups: tuple[Group, ...], runs: list[tuple[Path, Record]]) -> DataSet:
    name = group.data if sum(other.data == group.data for other in groups) == 1 else group.title
    shown = [run for run in runs if group.shows_test_of(run[1])]
    baseline = group.baseline.metrics.get(group.headline or "") if group.baseline else None
    return DataSet(name, group.headline, baseline, shown)


def _group(runs: list[tuple[Path, Record]], headline: str | None, reading: Reading, rope: Rope | None) -> Group:
    """Of runs on one data set, for one task. rope: that of the command."""
    records = [record for _, record in runs]
    names = _ranked(records, reading.metrics(records[0].data))
    chosen = headline if headline in names else next(iter(names), None)
    if chosen is not None:
        check_rope(chosen, rope)
    choices = tuple(find_choices(records, chosen))
    unchosen = {label for choice in choices for label in choice.others}
    runs = [(place, without_test(record) if record.label in unchosen else record) for place, record in runs]
    records = [record for _, record in runs]
    metrics = tuple(sorted(names, key=lambda name: name != chosen))
    shown = tuple(dict.fromkeys([*_shown(metrics, chosen), *(choice.metric for choice in choices)]))
    labels = dict.fromkeys(record.label for record in records)

    def made(left_out: Collection[tuple[str, int]] = ()) -> tuple[Row, ...]:
        by_label = {label: [record for record in records if record.label == label] for label in labels}
        return tuple(_row(label, of_label, left_out) for label, of_label in by_label.items())

    rows = made()
    parameters, matches = {row.label: row.parameters for row in rows}, {row.label: row.match for row in rows}
    verdict = verdict_on(runs, chosen, reading, parameters, matches)
    rows = made(verdict.left_out) if verdict.left_out else rows
    conditions = tuple(fairness(records, tunings_in(run.parent for run, _ in runs)[0]))
    if verdict.pairs and (differences := unequal(conditions)):
        verdict = replace(verdict, sentences=(differences, *verdict.sentences))
    verdict = replace(verdict, sentences=(*verdict.sentences, *order_gains(records, verdict)))
    return Group(
        task=records[0].task,
        data=records[0].data,
        headline=chosen,
        metrics=metrics,
        shown=shown,
        conventions=(*conventions(records, shown), *(choice.sentence for choice in choices)),
        rows=rows,
        seeds=tuple(sorted({seed for row in rows for seed in row.seeds})),
        verdict=verdict,
        choices=choices,
        fairness=conditions,
        baseline=shared_baseline(records),
        further=further_baselines(records),
    )


def leading(records: list[Record]) -> str | None:
    """The headline metric of a table of these runs; None where no run is done."""
    return next(iter(_ranked(records)), None)


def _ranked(records: list[Record], planned: tuple[str, ...] = ()) -> list[str]:
    order = planned or importance(records)
    return sorted(_metrics(records), key=lambda name: rank(name, order))


def _metrics(records: list[Record]) -> list[str]:
    """Every metric that a finished run has."""
    return list(dict.fromkeys(name for record in records if record.status == "done" for name in record.metrics))


def _shown(metrics: tuple[str, ...], headline: str | None) -> tuple[str, ...]:
    split = "test/" if any(name.startswith("test/") for name in metrics) else "val/"
    shown = tuple(name for name in metrics if name.startswith(split) or name == headline)
    return tuple(name for name in shown if name != f"{split}loss" or name == headline or f"{split}nll" not in shown)


def training_seconds(record: Record) -> float | None:
    """Seconds spent training: the latest time on any of the run's curves."""
    times = [number(point[2]) for curve in record.curves.values() for point in curve if len(point) == 4]
    known = [time for time in times if time is not None]
    return max(known) if known else None


def _row(label: str, records: list[Record], left_out: Collection[tuple[str, int]]) -> Row:
    done = sorted((record for record in records if record.status == "done"), key=lambda record: record.seed)
    judged = [record for record in done if (label, record.seed) not in left_out]
    counts: dict[str, int] = {}
    for record in records:
        counts[record.status] = counts.get(record.status, 0) + 1
    names = list(dict.fromkeys(name for record in done for name in record.metrics))
    sized = next((record for record in [*done, *records] if record.parameters), records[0])
    return Row(
        label=label,
        model=records[0].model,
        cell=records[0].cell,
        engine=", ".join(dict.fromkeys(record.engine for record in done or records if record.engine)),
        counts=counts,
        seeds=tuple(record.seed for record in judged),
        metrics={
            name: Statistic({record.seed: number(record.metrics.get(name)) for record in judged}) for name in names
        },
        parameters=dict(sized.parameters),
        tokens_per_second=Statistic(
            {record.seed: number(record.throughput.get("tokens_per_second")) for record in done}
        ),
        seconds=Statistic({record.seed: training_seconds(record) for record in done}),
        shared_machine=any(map(shared_machine, done)),
        match=dict(sized.match),
    )


def _log(directory: Path, run: Path, record: Record) -> Path | None:
    path = log_path(run, record)
    return located(path, directory) if path is not None else None


def located(path: Path, directory: Path) -> Path:
    """The path of a file relative to the directory of a report."""
    if path.is_relative_to(directory):
        return path.relative_to(directory)
    return Path(os.path.relpath(path.resolve(), directory.resolve()))
