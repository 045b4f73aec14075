"""Runs of several comparisons as one: from other directories, machines and dates, where they belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.identity import shown
from lightning_seq.records.record import Record, runs_in
from lightning_seq.report.conditions import CONDITIONS, INDIFFERENT, Run, check_alike, refusal
from lightning_seq.report.dashboard.memory_horizon import distance
from lightning_seq.report.summary import Summary, leading, runs_of, summarise_runs
from lightning_seq.report.write import write_pages

SETTINGS = (
    "choices", "model", "cell", "attention", "init", "task", "optimizer", "embedding", "word2vec", "data", "trainer",
    "callbacks",
)  # fmt: skip
"""The groups of a configuration that make a label what it is."""


def write_gathered(directories: Sequence[Path], output: Path, stochastic_order: bool = False) -> Summary:
    """Write the tables and the dashboard of the runs of several comparisons into `output`.

    Runs, logs and configurations stay where they are: the page links to them there.

    Raises UserError for whatever `gather` refuses, and for an output that holds runs, or cannot be written.
    """
    runs = gather(directories)
    if output.is_dir() and runs_in(output):
        raise UserError(
            f"output={output} holds runs of its own, and a report that this one would replace: give another directory"
        )
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file: give a directory")
    summary = summarise_runs(output, runs, stochastic_order=stochastic_order)
    summary = replace(summary, sources=_sources(directories, runs))
    write_pages(output, runs, summary)
    return summary


def gather(directories: Sequence[Path]) -> list[tuple[Path, Record]]:
    """The runs of the comparisons in these directories, in the order they started; what is there twice is taken once.

    They belong together where every two comparisons have a data set in common, and where on each that they share

    - data and split are the same by their fingerprints, at each distance of a memory problem by itself (a comparison
      may hold several on purpose, as `data.min_count=1,2` makes them: then one has to hold all that the other does);
    - their tables are led by the same metric, and it is measured by the same `task.tolerance`;
    - a label is one configuration on one data set: settings alike but for the seed and what belongs to a machine
      (paths, accelerator, threads). A key that only one of two records has came or went with a version: passed over;
    - a label and a seed that come twice have the same results, as a copy has. What is done is preferred.

    Word vectors may differ from machine to machine by rounding: the page says so under equal conditions.

    Raises UserError for a directory that is missing or holds no record, for a record of another version, and, naming
    two runs, the field and both values, for comparisons that do not belong together.
    """
    found = [[Run(path, run, record) for run, record in runs_of(path)] for path in map(Path, directories)]
    kept: dict[tuple[str, int], Run] = {}
    for number, theirs in enumerate(found):
        for ours in found[:number]:
            _check_data(ours, theirs)
        for run in theirs:
            key = (run.record.label, run.record.seed)
            alike = [other for other in kept.values() if other.record.label == run.record.label]
            if namesake := next((other for other in alike if other.comparison != run.comparison), None):
                _check_settings(namesake, run)
            if twin := kept.get(key):
                _check_results(twin, run)
            if twin is None or twin.record.status != "done":
                kept[key] = run
    for theirs in found:
        check_alike(theirs)
    runs = sorted(kept.values(), key=lambda run: (run.record.started, run.record.label, run.record.seed))
    return [(run.directory, run.record) for run in runs]


def _check_data(ours: Sequence[Run], theirs: Sequence[Run]) -> None:
    """Raises UserError where two comparisons share no data set, or do not mean the same by one."""
    kinds = [kind for kind in _kinds(ours) if kind in _kinds(theirs)]
    if not kinds:
        value, before = (f"{data} ({task})" for (task, data), *_ in (_kinds(theirs), _kinds(ours)))
        raise refusal("data", theirs[0], value, ours[0], before, "they have no data set in common")
    for kind in kinds:
        mine, other = ([run for run in runs if (run.record.task, run.record.data) == kind] for runs in (ours, theirs))
        for field, reason in CONDITIONS.items():
            _check_condition(mine, other, field, reason)
        heads = [leading([run.record for run in runs]) for runs in (mine, other)]
        if None not in heads and heads[0] != heads[1]:
            first, second = (next(run for run in runs if run.record.status == "done") for runs in (mine, other))
            raise refusal("headline metric", second, heads[1], first, heads[0], "their tables are led by another one")


def _kinds(runs: Sequence[Run]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((run.record.task, run.record.data) for run in runs))


def _check_condition(ours: Sequence[Run], theirs: Sequence[Run], field: str, reason: str) -> None:
    for far in dict.fromkeys(distance(run.record) for run in theirs):
        mine, other = (_values([run for run in runs if distance(run.record) == far], field) for runs in (ours, theirs))
        if not mine or not other or mine.keys() <= other.keys() or other.keys() <= mine.keys():
            continue
        value, run = next((value, run) for value, run in other.items() if value not in mine)
        lone = {value: run for value, run in mine.items() if value not in other}
        alike = [item for item in lone.items() if item[1].record.label == run.record.label]
        before, first = (alike or list(lone.items()))[0]
        raise refusal(field, run, value, first, before, reason)


def _values(runs: Sequence[Run], field: str) -> dict[Any, Run]:
    """Each value with the first run that has it; a run that ended before it had one is passed over."""
    found: dict[Any, Run] = {}
    for run in runs:
        group, _, name = field.partition(".")
        held = run.record.config.get(group) if name else run.record.fingerprints
        value = held.get(name or field.partition(" ")[0]) if isinstance(held, dict) else None
        if value is not None:
            found.setdefault(value, run)
    return found


def _check_settings(ours: Run, theirs: Run) -> None:
    for field, reason in CONDITIONS.items():
        _check_condition([ours], [theirs], field, reason)
    one, other = ours.record, theirs.record
    pairs: list[tuple[str, Any, Any]] = [
        (field, getattr(one, field), getattr(other, field)) for field in ("task", "data", "model", "cell")
    ]
    for group in SETTINGS:
        if group in one.config and group in other.config:
            pairs += _differences(one.config[group], other.config[group], group)
    for field, before, value in pairs:
        if before != value:
            raise refusal(field, theirs, value, ours, before, "one label is one configuration")


def _differences(one: Any, other: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two configurations differ, among the keys that both have. A path says where, not what."""
    if shown(key) in INDIFFERENT or (key.startswith("callbacks.") and not key.startswith("callbacks.early_stopping")):
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in one:
            if name in other:
                yield from _differences(one[name], other[name], f"{key}.{name}")
    elif one != other and not (_is_path(one) or _is_path(other)):
        yield shown(key), one, other


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)


def _check_results(ours: Run, theirs: Run) -> None:
    if ours.record.status != "done" or theirs.record.status != "done":
        return
    for name, value in theirs.record.metrics.items():
        before = ours.record.metrics.get(name, value)
        if before != value:
            raise UserError(
                f"{theirs} has {name}={value}, {ours} has {name}={before}: one label and seed with two results; "
                "leave one of the two directories out, or delete one of the two runs"
            )


def _sources(directories: Sequence[Path], runs: Sequence[tuple[Path, Record]]) -> str:
    """Empty where all come from one directory."""
    if len(directories) < 2:
        return ""
    counts = {
        path: sum(run.resolve().is_relative_to(path.resolve()) for run, _ in runs) for path in map(Path, directories)
    }
    listed = ", ".join(f"{path} ({count} {'run' if count == 1 else 'runs'})" for path, count in counts.items())
    return f"Gathered from {listed}: compare speeds only between runs of one machine."
