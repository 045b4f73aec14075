"""Train one run, or all missing runs of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lightning_seq.comparison.directories import check_directories, check_place
from lightning_seq.comparison.grid import planned_runs, seeds_of
from lightning_seq.comparison.looks import Reader, check_looks, first_look, metrics_of, run_looks
from lightning_seq.comparison.plan import announce
from lightning_seq.comparison.progress import RunTable
from lightning_seq.comparison.show import shown, shows_config
from lightning_seq.comparison.tune import check_tune, trials_of, tune
from lightning_seq.config.entry import Entry
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import is_matched
from lightning_seq.launch.job import RunLock, run_as_rank
from lightning_seq.launch.launch import launch
from lightning_seq.printable import printable
from lightning_seq.records.record import Record
from lightning_seq.terminal import say
from lightning_seq.training.data_files import data_files
from lightning_seq.training.devices import several_processes, started_by
from lightning_seq.training.directory import prepare_directory
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.run import execute
from lightning_seq.training.signals import Interrupted, number_of, requeueing

if TYPE_CHECKING:
    from lightning_seq.comparison.prepare import PreparedEntry


@dataclass(frozen=True)
class Outcome:
    """The directory of a comparison, and the number of its runs that are not done."""

    directory: Path
    failed: int


@requeueing()
def train(words: Sequence[str], entries: list[Entry], console: Console) -> Outcome | None:
    """Train one run, in this process if one is enough: a comparison of one.

    If torchrun or SLURM started this process as one of several, it is a rank of the run.

    entries: the entries of the command.

    Returns None if the configuration was only shown. Raises UserError for several entries, and any error that ends the
    run.
    """
    if len(entries) > 1:
        recipe = entries[0].config["choices"]["experiment"]
        raise UserError(
            f"train makes one run, {len(entries)} were given ({', '.join(entry.label for entry in entries)}): "
            f"use compare{', or entries=null and one model=… for the recipe alone' if recipe else ''}"
        )
    if shows_config(words):
        print(printable(shown(entries)), end="")
        return None
    if trials_of(entries[0].config):
        raise UserError("tune=… is for compare: it gives each architecture the same trials, then runs every seed")
    seed = entries[0].config["seed"]
    if is_matched(entries[0].config):
        check_place([Planned(entries[0], seed)])
        entries = [item.entry for item in _prepare(entries, [seed], partial(say, console))]
    run = Planned(entries[0], seed)
    check_directories([run])
    if record := run.done():
        if data_files(run.config) and not record.files:  # by a version that recorded no files
            _check_made_alike([run], _prepare(entries, [seed], lambda line: None, progress=False))
        say(console, f"{run.directory} is done already; give another name=NAME to train it again")
        return Outcome(run.directory.parent, 0)
    if not is_matched(run.config):
        _prepare(entries, [seed], partial(say, console))
    if several_processes(run.config) and started_by() is not None:
        run_as_rank(run, run.config["trainer"]["timeout"])
        return Outcome(run.directory.parent, 0)
    announce([run], 1)
    if several_processes(run.config) or run.config["launcher"]["kind"] in ("submitit", "ray"):
        with RunTable([run], console) as table:
            launch([run], 1, table.watch, _refuse)
        _raise_signal(record_of(run))
        return _outcome([run])
    _run_here(run)
    return Outcome(run.directory.parent, 0)


def _raise_signal(record: Record | None) -> None:
    """Raises `Interrupted` if a signal to a process of the run ended it, as for a run in this process."""
    if record is not None and record.status == "interrupted" and (number := number_of(record.error or "")):
        raise Interrupted(number)


def _prepare(
    entries: Sequence[Entry], seeds: Sequence[int], notify: Callable[[str], None], progress: bool = True
) -> list[PreparedEntry]:
    from lightning_seq.comparison.prepare import prepare  # imports torch, which a run that is done does not need

    return prepare(entries, seeds, notify, progress)


def _check_made_alike(runs: Iterable[Planned], ready: Iterable[PreparedEntry]) -> None:
    """Raises UserError for a run that is done whose data, splits or word vectors differ from those of its entry now."""
    by_label = {item.entry.label: item for item in ready}
    for run in runs:
        record, item = run.done(), by_label[run.entry.label]
        for name, value in item.fingerprints.get(run.seed, {}).items():
            before = record.fingerprints.get(name) if record else None
            if before and value and before != value:
                raise UserError(
                    f"{run.directory} was made from other data: its {name} fingerprint is {before}, that of "
                    f"data={run.config['choices']['data']} is {value} now; give name=NEW for runs on the data as they "
                    "are now, or restore them"
                )


def _execute(run: Planned) -> None:
    execute(run.directory, run.entry.label, run.entry.overrides)


def _run_here(run: Planned) -> None:
    """Train in this process. Raises any error that ends the run."""
    with RunLock(run.directory):
        prepare_directory(run.directory, run.config)
        _execute(run)


@requeueing()
def compare(words: Sequence[str], entries: list[Entry], console: Console, reader: Reader) -> Outcome | None:
    """Train every entry with every seed, except the runs that are done. A run that fails is recorded, and the others
    continue.

    entries: the entries of the command.
    reader:  of the verdict, for `seeds=auto`.

    Returns None for a dry run, and if the configurations were only shown.
    """
    config = entries[0].config
    if any(word.startswith("seed=") for word in words):
        raise UserError("seed=… is for train: compare takes seeds=3 (1, 2 and 3) or a list such as seeds=[1,5]")
    check_tune(entries)
    check_looks(entries)
    if shows_config(words):
        print(printable(shown(entries)), end="")
        return None
    seeds = seeds_of(config)
    runs = planned_runs(entries, seeds)
    jobs, trials = config["jobs"], trials_of(config)
    # A run can only be compared with its directory when matched sizes are solved and tuned values are chosen.
    is_open = is_matched(config) or trials > 0
    (check_place if is_open else check_directories)(runs)
    early = seeds if config["seeds"] != "auto" else first_look(config)
    done = {run.seed for run in runs if run.is_done()}
    ready = _prepare(entries, [seed for seed in seeds if seed in early or seed in done], partial(say, console))
    if trials and not config["dry_run"]:
        ready = tune(ready, lambda runs: _run(runs, jobs, config, console), partial(say, console))
    if is_open:
        runs = planned_runs([item.entry for item in ready], seeds)
        if not (trials and config["dry_run"]):
            check_directories(runs)
    _check_made_alike(runs, ready)
    if config["rope"] is not None:
        for metrics in metrics_of(ready, reader).values():
            reader.check_rope(metrics[0], config["rope"])
    if config["dry_run"]:
        from lightning_seq.comparison.dry_run import show_plan  # imports torch

        show_plan(ready, runs, jobs, console)
        if trials:
            say(console, f"before them {trials} trials of each architecture: {trials * len(ready)} runs more")
        return None
    if config["seeds"] == "auto":
        runs = run_looks(ready, reader, lambda runs: _run(runs, jobs, config, console), partial(say, console))
    else:
        _run(runs, jobs, config, console)
    return _outcome(runs)


def _outcome(runs: Sequence[Planned]) -> Outcome:
    records = [record_of(run) for run in runs]
    return Outcome(runs[0].directory.parent, sum(record is None or record.status != "done" for record in records))


def _run(runs: Sequence[Planned], jobs: int, config: Config, console: Console) -> None:
    """Train the runs that are not done yet."""
    announce(runs, jobs)
    missing = [run for run in runs if not run.is_done()]
    if len(missing) < len(runs):
        console.print(f"{len(runs) - len(missing)} of {len(runs)} runs are done already")
    with RunTable(runs, console) as table:
        if config["launcher"]["kind"] == "inline":
            _inline(missing, table, console)
        else:
            launch(missing, jobs, table.watch, partial(say, console))


def _refuse(line: str) -> None:
    raise UserError(line)


def _inline(missing: Sequence[Planned], table: RunTable, console: Console) -> None:
    for run in missing:
        try:
            _run_here(run)
        except UserError as error:
            say(console, f"{run.title}: {error}")
        except Exception:  # an error of the package ends its run, with a traceback, and not the runs after it
            console.print_exception()
        table.watch([])
