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
from lightning_seq.training.threads import cores

STEPS_TIMED = 6


@dataclass(frozen=True)
class Outcome:
    """The directory of a comparison, and how many of its runs are done and failed."""

    directory: Path
    done: int
    failed: int


@requeueing()
def train(words: Sequence[str], found: list[Entry], console: Console) -> Outcome | None:
    """One run: a comparison of one, in this process where it needs only one.

    Where torchrun or SLURM has started this process as one of several, it is a rank of the run.

    found: the entries that the words of the command ask for.

    Returns None where nothing was to be run. Raises UserError for a comma list, and whatever ends the run.
    """
    if len(found) > 1:
        raise UserError(
            f"train makes one run, {len(found)} were asked for ({', '.join(e.label for e in found)}): use compare"
            + (
                ", or entries=null and one model=… for the recipe alone"
                if found[0].config["choices"]["experiment"]
                else ""
            )
        )
    if shows_config(words):
        print(shown(found), end="")
        return None
    if trials_of(found[0].config):
        raise UserError("tune=… is for compare: it gives each architecture the same trials, then runs every seed")
    seed = _seed(found[0].config["seed"])
    if is_matched(found[0].config):
        check_place([Planned(found[0], seed)])
        found = [item.entry for item in prepare(found, _teller(console))]
    run = Planned(found[0], seed)
    check_directories([run])
    if record := run.done():
        if data_files(run.config) and not record.files:  # recorded before files were
            check_made_alike([run], prepare(found, lambda line: None, progress=False))
        console.print(
            f"{run.directory} is done already; give another name=NAME to train it again", markup=False, soft_wrap=True
        )
        return Outcome(run.directory.parent, 1, 0)
    if not is_matched(run.config):
        prepare(found, _teller(console))
    if several_processes(run.config) and started_by() is not None:
        run_as_rank(run, run.config["trainer"]["timeout"])
        return Outcome(run.directory.parent, 1, 0)
    announce([run], 1)
    if several_processes(run.config) or run.config["launcher"]["kind"] in ("submitit", "ray"):
        with RunTable([run], console) as table:
            launch([run], 1, table.watch, _refuse)
        record = record_of(run)
        return Outcome(
            run.directory.parent,
            int(bool(record and record.status == "done")),
            int(not record or record.status != "done"),
        )
    _run_here(run)
    return Outcome(run.directory.parent, 1, 0)


def _run_here(run: Planned) -> None:
    """In this process. Raises what ended the run."""
    with RunLock(run.directory):
        prepare_directory(run.directory, run.config)
        execute(run.directory, run.entry.label, run.entry.overrides)


def _seed(seed: int) -> int:
    if seed < 0:
        raise UserError(f"seed is {seed}, expected a whole number of at least 0")
    return seed


@requeueing()
def compare(words: Sequence[str], found: list[Entry], console: Console) -> Outcome | None:
    """Every entry with every seed: what is done already stays, what failed or is missing is run.

    found: the entries that the words of the command ask for.

    A run that fails is recorded, and the others continue. Returns None for a dry run, and where the configurations are
    to be shown alone.
    """
    config = found[0].config
    if any(word.startswith("seed=") for word in words):
        raise UserError("seed=… is for train: compare takes seeds=3 (1, 2 and 3) or a list such as seeds=[1,5]")
    check_tune(found)
    if shows_config(words):
        print(shown(found), end="")
        return None
    runs = planned_runs(found, seeds_of(config))
    jobs, trials = _jobs(config), trials_of(config)
    # Only when sizes are solved and values chosen can it be said that a run is another one.
    open_ = is_matched(config) or trials > 0
    (check_place if open_ else check_directories)(runs)
    ready = prepare(found, _teller(console))
    if trials and not config["dry_run"]:
        ready = tune(ready, lambda made: _run(made, jobs, config, console), _teller(console))
    if open_:
        runs = planned_runs([item.entry for item in ready], seeds_of(config))
        if not (trials and config["dry_run"]):
            check_directories(runs)
    check_made_alike(runs, ready)
    missing = [run for run in runs if not run.is_done()]
    if config["dry_run"]:
        _show_plan(ready, runs, missing, jobs, console)
        if trials:
            _teller(console)(f"before them {trials} trials of each architecture: {trials * len(ready)} runs more")
        return None
    _run(runs, jobs, config, console)
    records = [record_of(run) for run in runs]
    done = sum(record is not None and record.status == "done" for record in records)
    return Outcome(runs[0].directory.parent, done, len(runs) - done)


def _run(runs: Sequence[Planned], jobs: int, config: Config, console: Console) -> None:
    """Those that are not done yet."""
    announce(runs, jobs)
    missing = [run for run in runs if not run.is_done()]
    if len(missing) < len(runs):
        console.print(f"{len(runs) - len(missing)} of {len(runs)} runs are done already")
    with RunTable(runs, console) as table:
        if config["launcher"]["kind"] == "inline":
            _inline(missing, table, console)
        else:
            launch(missing, jobs, table.watch, _teller(console))


def _teller(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def _refuse(line: str) -> None:
    raise UserError(line)


def _jobs(config: Config) -> int:
    jobs = config["jobs"]
    if jobs < 1:
        raise UserError(f"jobs is {jobs}, expected at least 1 (this machine has {cores()} cores)")
    return jobs


def _inline(missing: Sequence[Planned], table: RunTable, console: Console) -> None:
    for run in missing:
        try:
            _run_here(run)
        except UserError as error:
            _teller(console)(f"{run.title}: {error}")
        except Exception:  # an error of the package ends its run, with a traceback, and not the runs after it
            console.print_exception()
        table.watch([])


def _show_plan(
    ready: Sequence[PreparedEntry], runs: Sequence[Planned], missing: Sequence[Planned], jobs: int, console: Console
) -> None:
    """The grid, parameters and minutes, from a few timed steps of each architecture."""
    table = Table(box=None, pad_edge=False)
    for heading in ("architecture", "parameters", "embedding", "encoder", "head", "runs to do", "minutes a run"):
        table.add_column(heading, justify="left" if heading == "architecture" else "right", overflow="fold")
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
    """An estimate: the median of a few training steps, times the steps of all epochs; infinite where nothing limits
    them."""
    from lightning_seq.builders.build import build_model, build_task  # they import Lightning
    from lightning_seq.training.environment import prepare_process

    config = item.entry.config
    prepare_process(config)
    task = build_task(config, item.data, build_model(config, item.data.spec, item.inputs.width))
    loader = item.data.train_dataloader()
    times = []
    for step, batch in zip(range(STEPS_TIMED + 1), loader, strict=False):
        begun = time.perf_counter()
        loss = task.training_step(batch, step)
        loss.backward()
        times.append(time.perf_counter() - begun)
    epochs, most = config["trainer"]["max_epochs"], config["trainer"]["max_steps"]
    steps = len(loader) * epochs if epochs >= 0 else math.inf
    if most >= 0:
        steps = min(steps, most * config["trainer"]["accumulate_grad_batches"])
    return median_low(times[1:] or times) * steps
