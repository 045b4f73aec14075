"""Merge the runs of several comparable comparisons into one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.identity import SETTINGS, drawn_keys, may_differ, shown, varied
from lightning_seq.records.record import Record, runs_in
from lightning_seq.report.conditions import CONDITIONS, Run, check_alike, refusal
from lightning_seq.report.formats import plural
from lightning_seq.report.reading import Rope
from lightning_seq.report.seed_draws import drawn, in_words
from lightning_seq.report.summary import Summary, leading, runs_of, summarise_runs
from lightning_seq.report.test_sets import distance
from lightning_seq.report.write import write_pages

GROUPS = ("choices", *SETTINGS, "callbacks")
"""The groups of a configuration that define a label."""


def write_merged(
    directories: Sequence[Path], output: Path, stochastic_order: bool = False, rope: Rope | None = None
) -> Summary:
    """Write the tables and the dashboard of the runs of several comparisons into `output`.

    Runs, logs and configurations stay where they are: the page links to them there.

    Raises UserError for whatever `merge` refuses, and for an output that holds runs, or cannot be written.
    """
    runs = merge(directories)
    if output.is_dir() and runs_in(output):
        raise UserError(
            f"output={output} holds runs of its own, and a report that this one would replace: give another directory"
        )
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file: give a directory")
    summary = summarise_runs(output, runs, stochastic_order=stochastic_order, rope=rope)
    summary = replace(summary, sources=_sources(directories, runs))
    write_pages(output, runs, summary)
    return summary


def merge(directories: Sequence[Path]) -> list[tuple[Path, Record]]:
    """The runs of the comparisons in these directories, in the order they started; of copies of a run one is taken.

    Comparisons can be merged if every two have a data set or a label in common, and if on each common data set

    - data and split are the same by their fingerprints, at each distance of a memory problem by itself, with `vary`
      for each seed (a comparison
      may have several, as with `data.min_count=1,2`: then one comparison has all those of the other);
    - their tables have the same headline metric, and it is measured by the same `task.tolerance`;
    - a label is one configuration: settings alike but for the seed and what belongs to a machine
      (paths, accelerator, threads). A key that only one of two records has is ignored: another version wrote it;
    - a label and a seed that occur twice have the same results. A finished run is preferred.

    Word vectors may differ from machine to machine by rounding: the page shows that under equal conditions.

    Raises UserError for a directory that is missing or holds no record, for a record of another version, and, naming
    two runs, the field and both values, for comparisons that cannot be merged.
    """
    comparisons = [[Run(path, run, record) for run, record in runs_of(path)] for path in map(Path, directories)]
    kept: dict[tuple[str, str, str, int], Run] = {}
    for number, second in enumerate(comparisons):
        for first in comparisons[:number]:
            _check_data(first, second)
        for run in second:
            mine = (run.record.task, run.record.data, run.record.label)
            key = (*mine, run.record.seed)
            same_label = (other for (*place, _), other in kept.items() if tuple(place) == mine)
            if other := next((other for other in same_label if other.comparison != run.comparison), None):
                _check_settings(other, run)
            if copy := kept.get(key):
                _check_results(copy, run)
            if copy is None or copy.record.status != "done":
                kept[key] = run
    for comparison in comparisons:
        check_alike(comparison)
    runs = sorted(kept.values(), key=lambda run: (run.record.started, run.record.label, run.record.seed))
    return [(run.directory, run.record) for run in runs]


def _check_data(first: Sequence[Run], second: Sequence[Run]) -> None:
    """Raises UserError if two comparisons have neither data set nor label in common, or a data set that differs."""
    data_sets = [data_set for data_set in _data_sets(first) if data_set in _data_sets(second)]
    if not data_sets and {run.record.label for run in first}.isdisjoint(run.record.label for run in second):
        value, before = (f"{data} ({task})" for (task, data), *_ in (_data_sets(second), _data_sets(first)))
        raise refusal("data", second[0], value, first[0], before, "they have neither a data set nor a label in common")
    for data_set in data_sets:
        old, new = ([run for run in runs if (run.record.task, run.record.data) == data_set] for runs in (first, second))
        draws = [in_words(drawn(run.record for run in runs)) or "nothing" for runs in (old, new)]
        known = all(any(run.record.fingerprints.get("split") for run in runs) for runs in (old, new))
        if known and draws[0] != draws[1]:
            reason = "labels of one table are compared on the same splits and vectors, seed by seed"
            raise refusal("vary, which draws", new[0], draws[1], old[0], draws[0], reason)
        for field, reason in CONDITIONS.items():
            _check_condition(old, new, field, reason)
        metrics = [leading([run.record for run in runs]) for runs in (old, new)]
        if None not in metrics and metrics[0] != metrics[1]:
            other, run = (next(run for run in runs if run.record.status == "done") for runs in (old, new))
            reason = "their tables have different headline metrics"
            raise refusal("headline metric", run, metrics[1], other, metrics[0], reason)


def _data_sets(runs: Sequence[Run]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((run.record.task, run.record.data) for run in runs))


def _check_condition(first: Sequence[Run], second: Sequence[Run], field: str, reason: str) -> None:
    for place in dict.fromkeys(_place(run) for run in second):
        old, new = (_values([run for run in runs if _place(run) == place], field) for runs in (first, second))
        if not old or not new or old.keys() <= new.keys() or new.keys() <= old.keys():
            continue
        value, run = next((value, run) for value, run in new.items() if value not in old)
        differing = [item for item in old.items() if item[0] not in new]
        same_label = [item for item in differing if item[1].record.label == run.record.label]
        before, other = (same_label or differing)[0]
        raise refusal(field, run, value, other, before, reason)


def _place(run: Run) -> tuple[int | None, int | None]:
    """The distance of a memory problem, and the seed where it draws the split."""
    return distance(run.record), run.record.seed if run.record.drawn else None


def _values(runs: Sequence[Run], field: str) -> dict[object, Run]:
    """Each value with the first run that has it; runs without a value are left out."""
    values: dict[object, Run] = {}
    group, _, name = field.partition(".")
    for run in runs:
        fingerprints = run.record.fingerprints
        value = run.record.setting(group, name) if name else fingerprints.get(field.partition(" ")[0])
        if value is not None:
            values.setdefault(value, run)
    return values


def _check_settings(first: Run, second: Run) -> None:
    for field, reason in CONDITIONS.items():
        _check_condition([first], [second], field, reason)
    old, new = first.record, second.record
    pairs: list[tuple[str, object, object]] = [
        (field, getattr(old, field), getattr(new, field)) for field in ("task", "data", "model", "cell")
    ]
    pairs.append(("vary", varied(old.config), varied(new.config)))
    for group in GROUPS:
        if group in old.config and group in new.config:
            pairs += _differences(old.config[group], new.config[group], group)
    for field, before, value in pairs:
        if before != value and field not in drawn_keys(new.config):
            raise refusal(field, second, value, first, before, "one label is one configuration")


def _differences(one: object, other: object, key: str) -> Iterator[tuple[str, object, object]]:
    """The keys of both configurations in which they differ. Paths may differ."""
    if may_differ(key):
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in one:
            if name in other:
                yield from _differences(one[name], other[name], f"{key}.{name}")
    elif one != other and not (_is_path(one) or _is_path(other)):
        yield shown(key), one, other


def _is_path(value: object) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)


def _check_results(first: Run, second: Run) -> None:
    if first.record.status != "done" or second.record.status != "done":
        return
    for name, value in second.record.metrics.items():
        before = first.record.metrics.get(name, value)
        if before != value:
            raise UserError(
                f"{second} has {name}={value}, {first} has {name}={before}: one label and seed with two results; "
                "leave one of the two directories out, or delete one of the two runs"
            )


def _sources(directories: Sequence[Path], runs: Sequence[tuple[Path, Record]]) -> str:
    """Empty if all runs are from one directory."""
    if len(directories) < 2:
        return ""
    counts = {
        path: sum(run.resolve().is_relative_to(path.resolve()) for run, _ in runs) for path in map(Path, directories)
    }
    listed = ", ".join(f"{path} ({plural(count, 'run')})" for path, count in counts.items())
    return f"Merged from {listed}: compare speeds only between runs of one machine."
