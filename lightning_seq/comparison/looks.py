"""`seeds=auto`: seeds are added by a plan that is fixed before the first run, until every pair of labels is decided."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_seq.comparison.grid import planned_runs
from lightning_seq.comparison.plan import announce
from lightning_seq.config.entry import Entry
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.records.comparison import Looks, read_plan
from lightning_seq.records.record import Record, runs_in
from lightning_seq.significance import sequential
from lightning_seq.training.planned import Planned
from lightning_seq.training.run_record import started_record

if TYPE_CHECKING:
    from lightning_seq.comparison.prepare import PreparedEntry


@dataclass(frozen=True)
class Reader:
    """The functions of the report that a plan needs.

    metrics:   names of metrics, the most important first, for runs of one data set.
    undecided: the labels in a comparison's directory that have a pair which is not decided, and those of their test
               set.
    check_rope: raises UserError for a region of equivalence that holds every difference of a metric.
    """

    metrics: Callable[[Sequence[Record]], tuple[str, ...]]
    undecided: Callable[[Path], Collection[str]]
    check_rope: Callable[[str, object], None]


def check_looks(entries: Sequence[Entry]) -> None:
    """Raises UserError for one label alone, and for a comparison that has runs without this plan."""
    config = entries[0].config
    if config["seeds"] != "auto":
        return
    if len(entries) < 2:
        raise UserError("seeds=auto adds seeds until labels are told apart, and there is one label: give seeds=3")
    directory = Path(config["runs"]) / config["name"]
    before = read_plan(directory)
    looks, most = before.looks if before else None, config["max_seeds"]
    if looks is None and runs_in(directory):
        raise UserError(f"{directory} has runs, and seeds=auto makes its plan before the first one: give name=NEW")
    if looks is not None and looks.seeds[-1] != most:
        raise UserError(
            f"{directory} has the plan max_seeds={looks.seeds[-1]}, this command has max_seeds={most}: "
            f"give max_seeds={looks.seeds[-1]}, or name=NEW"
        )


def run_looks(
    ready: Sequence[PreparedEntry],
    reader: Reader,
    run: Callable[[Sequence[Planned]], None],
    notify: Callable[[str], None],
) -> list[Planned]:
    """Run the seeds up to each look, for the entries that are not decided at the one before; return all runs.

    run: makes the runs that are not done yet.
    """
    entries = [item.entry for item in ready]
    config = entries[0].config
    directory = Path(config["runs"]) / config["name"]
    before = read_plan(directory)
    looks = (before.looks if before else None) or _looks(ready, reader)
    announce(planned_runs(entries, range(1, looks.seeds[0] + 1)), config["jobs"], looks)
    notify(f"seeds=auto: the verdict is read after {', '.join(map(str, looks.seeds))} seeds, until no pair is open")
    runs: list[Planned] = []
    for number, (last, seeds) in enumerate(pairwise((0, *looks.seeds))):
        new = planned_runs(entries, range(last + 1, seeds + 1))
        run(new)
        runs += new
        left = reader.undecided(directory)
        entries = [entry for entry in entries if entry.label in left]
        state = f"not decided: pairs of {', '.join(entry.label for entry in entries)}" if entries else "no pair is open"
        notify(f"look {number + 1} of {len(looks.seeds)}, {seeds} seeds, level {looks.levels[number]:.2g}: {state}")
        if not entries:
            break
    return runs


def first_look(config: Config) -> range:
    """The seeds before the first look."""
    return range(1, min(sequential.FIRST, config["max_seeds"]) + 1)


def _looks(ready: Sequence[PreparedEntry], reader: Reader) -> Looks:
    most = ready[0].entry.config["max_seeds"]
    plan = sequential.plan(most, min(sequential.FIRST, most))
    return Looks(plan.looks, plan.levels, metrics_of(ready, reader))


def metrics_of(ready: Sequence[PreparedEntry], reader: Reader) -> dict[str, tuple[str, ...]]:
    """By data set, names of metrics, the most important first."""
    data_sets: dict[str, list[Record]] = {}
    for item in ready:
        record = started_record(item.entry.config, item.entry.label, item.entry.overrides, 1)
        data_sets.setdefault(record.data, []).append(record.with_(selected_by=item.monitor))
    return {data: reader.metrics(records) for data, records in data_sets.items()}
