"""Train one run, or all missing runs of a comparison."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from rich.console import Console
from rich.table import Table

from lightning_seq.comparison.grid import planned_runs, seeds_of
from lightning_seq.comparison.plan import announce
from lightning_seq.comparison.prepare import check_directories, check_place, prepare
from lightning_seq.comparison.prepared_entry import PreparedEntry
from lightning_seq.comparison.progress import RunTable
from lightning_seq.comparison.same_data import check_made_alike
from lightning_seq.comparison.show import shown, shows_config
from lightning_seq.comparison.tune import check_tune, trials_of, tune
from lightning_seq.config.entry import Entry
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import is_matched
from lightning_seq.launch.job import RunLock, run_as_rank
from lightning_seq.launch.launch import launch
from lightning_seq.training.data_files import data_files
from lightning_seq.training.devices import several_processes, started_by
from lightning_seq.training.directory import prepare_directory
from lightning_seq.training.planned import Planned, record_of
from lightning_seq.training.run import execute
from lightning_seq.training.signals import requeueing

STEPS_TIMED = 6


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
        print(shown(entries), end="")
        return None
    if trials_of(entries[0].config):
        raise UserError("tune=… is for compare: it gives each architecture the same trials, then runs every seed")
    seed = entries[0].config["seed"]
    if is_matched(entries[0].config):
        check_place([Planned(entries[0], seed)])
        entries = [item.entry for item in prepare(entries, _printer(console))]
    run = Planned(entries[0], seed)
    check_directories([run])
    if record := run.done():
        if data_files(run.config) and not record.files:  # by a version that recorded no files
            check_made_alike([run], prepare(entries, lambda line: None, progress=False))
        _printer(console)(f"{run.directory} is done already; give another name=NAME to train it again")
        return Outcome(run.directory.parent, 0)
    if not is_matched(run.config):
        prepare(entries, _printer(console))
    if several_processes(run.config) and started_by() is not None:
        run_as_rank(run, lambda: _execute(run), run.config["trainer"]["timeout"])
        return Outcome(run.directory.parent, 0)
    announce([run], 1)
    if several_processes(run.config) or run.config["launcher"]["kind"] in ("submitit", "ray"):
        with RunTable([run], console) as table:
            launch([run], 1, table.watch, _refuse)
        return _outcome([run])
    _run_here(run)
    return Outcome(run.directory.parent, 0)


def _execute(run: Planned) -> None:
    execute(run.directory, run.entry.label, run.entry.overrides)


def _run_here(run: Planned) -> None:
    """Train in this process. Raises any error that ends the run."""
    with RunLock(run.directory):
        prepare_directory(run.directory, run.config)
        _execute(run)


@requeueing()
def compare(words: Sequence[str], entries: list[Entry], console: Console) -> Outcome | None:
    """Train every entry with every seed, except the runs that are done. A run that fails is recorded, and the others
    continue.

    entries: the entries of the command.

    Returns None for a dry run, and if the configurations were only shown.
    """
    config = entries[0].config
    if any(word.startswith("seed=") for word in words):
        raise UserError("seed=… is for train: compare takes seeds=3 (1, 2 and 3) or a list such as seeds=[1,5]")
    check_tune(entries)
    if shows_config(words):
        print(shown(entries), end="")
        return None
    runs = planned_runs(entries, seeds_of(config))
    jobs, trials = config["jobs"], trials_of(config)
    # A run can only be compared with its directory when matched sizes are solved and tuned values are chosen.
    is_open = is_matched(config) or trials > 0
    (check_place if is_open else check_directories)(runs)
    ready = prepare(entries, _printer(console))
    if trials and not config["dry_run"]:
        ready = tune(ready, lambda runs: _run(runs, jobs, config, console), _printer(console))
    if is_open:
        runs = planned_runs([item.entry for item in ready], seeds_of(config))
        if not (trials and config["dry_run"]):
            check_directories(runs)
    check_made_alike(runs, ready)
    if config["dry_run"]:
        _show_plan(ready, runs, jobs, console)
        if trials:
            _printer(console)(f"before them {trials} trials of each architecture: {trials * len(ready)} runs more")
        return None
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
            launch(missing, jobs, table.watch, _printer(console))


def _printer(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def _refuse(line: str) -> None:
    raise UserError(line)


def _inline(missing: Sequence[Planned], table: RunTable, console: Console) -> None:
    for run in missing:
        try:
            _run_here(run)
        except UserError as error:
            _printer(console)(f"{run.title}: {error}")
        except Exception:  # an error of the package ends its run, with a traceback, and not the runs after it
            console.print_exception()
        table.watch([])


def _show_plan(ready: Sequence[PreparedEntry], runs: Sequence[Planned], jobs: int, console: Console) -> None:
    """Print the grid with parameters and minutes, from a few timed steps of each architecture."""
    table = Table(box=None, pad_edge=False)
    for heading in ("architecture", "parameters", "embedding", "encoder", "head", "runs to do", "minutes a run"):
        table.add_column(heading, justify="left" if heading == "architecture" else "right", overflow="fold")
    missing = [run for run in runs if not run.is_done()]
    total = 0.0
    for item in ready:
        left = sum(run.entry is item.entry for run in missing)
        minutes = seconds_a_run(item) / 60
        total += left * minutes
        counts = [f"{item.parameters[part]:,}" for part in ("total", "embedding", "recurrent", "head")]
        table.add_row(item.entry.label, *counts, str(left), f"{minutes:.1f}")
    console.print(table)
    console.print(
        f"{len(missing)} of {len(runs)} runs to do, about {total / jobs:.0f} minutes with jobs={jobs} "
        f"if no run stops early ({STEPS_TIMED} steps of each were timed, alone and on the CPU); no run was started",
        soft_wrap=True,
    )


def seconds_a_run(item: PreparedEntry) -> float:
    """An estimate: the median of a few training steps, times the steps of all epochs; infinite without a limit of
    epochs or steps."""
    from lightning_seq.builders.build import build_model, build_task  # they import Lightning
    from lightning_seq.training.environment import prepare_process

    config = item.entry.config
    prepare_process(config)
    task = build_task(config, item.data, build_model(config, item.data.spec, item.inputs.width))
    loader = item.data.train_dataloader()
    times = []
    for step, batch in zip(range(STEPS_TIMED + 1), loader, strict=False):
        begin = time.perf_counter()
        task.training_step(batch, step).backward()
        times.append(time.perf_counter() - begin)
    epochs, most = config["trainer"]["max_epochs"], config["trainer"]["max_steps"]
    steps = len(loader) * epochs if epochs >= 0 else math.inf
    if most >= 0:
        steps = min(steps, most * config["trainer"]["accumulate_grad_batches"])
    return median_low(times[1:] or times) * steps
