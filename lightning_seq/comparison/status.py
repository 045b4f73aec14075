"""The progress of a comparison, from its directory alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_seq.errors import UserError
from lightning_seq.printable import number_of, table_cell
from lightning_seq.records.comparison import FILE as PLAN
from lightning_seq.records.comparison import Plan, read_plan
from lightning_seq.records.record import Record, read_if_there
from lightning_seq.records.tuning import FILE as TUNING
from lightning_seq.terminal import say
from lightning_seq.training.directory import CONFIG, is_running

STYLES = {"done": "green", "running": "cyan", "failed": "red", "interrupted": "yellow", "waiting": "dim"}
STATUSES = ("running", "failed", "interrupted", "waiting", "done")


@dataclass(frozen=True)
class State:
    """The state of one run.

    epoch, epochs: of its last validation, and at most.
    value:         the monitored metric with its name, at that validation; of a run that is done, of the chosen weights.
    seconds:       from its start to its end, or until now.
    trained:       seconds of training alone.
    jobs:          the number of runs that shared the machine.
    """

    run: str
    label: str
    status: str
    epoch: int | None = None
    step: int | None = None
    epochs: int | None = None
    value: str = ""
    started: str = ""
    seconds: float | None = None
    trained: float | None = None
    reason: str = ""
    jobs: int = 1


def state_of(directory: Path, label: str = "", now: datetime | None = None) -> State:
    """The state of the run in this directory, on whichever machine it runs."""
    label = label or directory.name
    try:
        record = read_if_there(directory)
    except UserError as error:
        return State(directory.name, label, "failed", reason=str(error))
    running = _is_locked(directory, record)
    if record is None:
        return State(directory.name, label, "running" if running else "waiting")
    epoch, step, value = _latest(record)
    status, reason = record.status, record.error or ""
    if running and status != "done":  # the record is of an earlier attempt
        status, reason = "running", ""
    elif status == "running":
        status, reason = "interrupted", "its process is gone"
    end = now or datetime.now(UTC) if status == "running" else _time(record.finished)
    started, last, epochs = _time(record.started), _last(record, "train/loss"), record.setting("trainer", "max_epochs")
    return State(
        directory.name, record.label, status, epoch, step, epochs if isinstance(epochs, int) else None, value,
        record.started, (end - started).total_seconds() if started and end else None, last[2] if last else None, reason,
        record.jobs,
    )  # fmt: skip


def _is_locked(directory: Path, record: Record | None) -> bool:
    """Whether a process works on the run. If another user's lock cannot be tried, its record decides."""
    try:
        return is_running(directory)
    except OSError:
        return record is not None and record.status == "running"


def _time(text: str | None) -> datetime | None:
    with suppress(ValueError):
        time = datetime.fromisoformat(text or "")
        return time if time.tzinfo else None
    return None


def _latest(record: Record) -> tuple[int | None, int | None, str]:
    """Epoch, step and value of the monitored metric at the last validation."""
    monitor = str(record.setting("task", "monitor") or "val/loss")
    last = _last(record, monitor)
    if last is None:
        return None, None, ""
    step, epoch, _, value = last
    if record.status == "done":
        value = record.metrics.get(monitor, value)
    shown = "not finite" if value is None else f"{monitor.removeprefix('val/')} {value:.4f}"
    return int(epoch or 0), int(step or 0), shown


def _last(record: Record, name: str) -> list[float | None] | None:
    """The last point of a curve: step, epoch, seconds, value."""
    points = record.curves.get(name)
    return points[-1] if points and len(points[-1]) == 4 else None


def states_of(directory: Path, now: datetime | None = None) -> list[State]:
    """The states of all runs in the comparison's plan, and of the other runs in its directory.

    Raises UserError if the directory is not that of a comparison.
    """
    plan = read_plan(directory, "its runs are found by their directories, and the next command writes it again")
    labels = dict(plan.runs) if plan is not None else {}
    for path in sorted(directory.glob(f"*/{CONFIG}")):
        labels.setdefault(path.parent.name, "")
    if not labels:
        problem = "holds no run" if directory.is_dir() else "is a file" if directory.exists() else "is not there"
        raise UserError(f"{directory} {problem}: expected the directory of a comparison, such as runs/demo")
    return [state_of(directory / run, label, now) for run, label in labels.items()]


def seconds_left(states: Sequence[State], jobs: int) -> float | None:
    """Estimated seconds until all runs are done; None without an estimate.

    The estimate for a run is the mean of the finished runs of its label, else the mean of all finished runs, else the
    time that a running one needs at its pace if it does not stop early.
    """
    done: dict[str, list[float]] = {}
    paced = []
    for state in states:
        if state.status == "done" and state.seconds is not None:
            done.setdefault(state.label, []).append(state.seconds)
        if state.status == "running" and state.seconds and state.epoch and state.epochs:
            paced.append(state.seconds * state.epochs / state.epoch)
    known = [seconds for of_label in done.values() for seconds in of_label] or paced
    if not known:
        return None
    left = [
        max(0.0, fmean(done.get(state.label) or known) - (state.seconds or 0.0) * (state.status == "running"))
        for state in states
        if state.status != "done"
    ]
    return max([sum(left) / max(1, jobs), *left], default=0.0)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`, `2 d 5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def summary_of(states: Sequence[State], jobs: int) -> str:
    counts = {status: sum(state.status == status for state in states) for status in STATUSES}
    shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    line = f"{number_of(len(states), 'run')}: {shown}"
    if counts["done"] == len(states):
        return line
    left = seconds_left(states, jobs)
    if left is None:
        return f"{line}; no estimate until a run is done"
    return f"{line}; about {duration(left)} left with jobs={jobs}"


def plan_lines(plan: Plan, states: Sequence[State]) -> list[str]:
    """What a seed draws with `vary`; of `seeds=auto` the looks, the seeds that are done, and the level spent."""
    lines = [f"each seed draws {', '.join(plan.vary)}"] if len(plan.vary) > 1 else []
    if plan.looks is None:
        return lines
    looks, ended = plan.looks, {state.run for state in states if state.status in ("done", "failed")}
    seeds = plan.seed_of()
    open_seeds = [seed for run, seed in seeds.items() if run not in ended]
    done = min(open_seeds) - 1 if open_seeds else max(seeds.values(), default=0)
    read = sum(look <= done for look in looks.seeds)
    following = (
        f"the next one, if a pair is open, after {looks.seeds[read]}" if read < len(looks.seeds) else "none is left"
    )
    return [
        *lines,
        f"seeds=auto: looks after {', '.join(map(str, looks.seeds))} seeds, until every pair is decided; "
        f"{number_of(done, 'seed')} done, {read} of {number_of(len(looks.seeds), 'look')} read, "
        f"{sum(looks.levels[:read]):.2g} of the level {sum(looks.levels):.2g} spent; {following}",
    ]


def status(directory: Path, console: Console) -> None:
    """Print the progress of a comparison: a table on a terminal, else a line for each run, in columns divided by tabs.
    For a directory of comparisons, print a line for each of them.

    Raises UserError if the directory is neither.
    """
    if several := comparisons_in(directory):
        list_comparisons(several, "status", console)
        return
    for place in (directory / TUNING.parent, directory):
        plan = read_plan(place)
        if place != directory and plan is None:
            continue
        states = sorted(states_of(place), key=lambda state: (STATUSES.index(state.status), state.run))
        jobs = plan.jobs if plan is not None else max(state.jobs for state in states)
        rows = [_cells(state) for state in states]
        if console.is_terminal:
            console.print(_table(rows))
        else:
            _print_lines(((" ".join(cell.split()) for cell in row) for row in rows), console)
        say(console, f"{place}: {summary_of(states, jobs)}")
        for line in plan_lines(plan, states) if plan is not None else ():
            say(console, line)


def comparisons_in(directory: Path) -> list[Path]:
    """The directories of comparisons inside a directory such as `runs`; none inside that of a comparison."""
    if read_plan(directory) is not None or any(directory.glob(f"*/{CONFIG}")):
        return []
    planned = {path.parent for path in directory.glob(f"*/{PLAN}")}
    return sorted(planned | {path.parents[1] for path in directory.glob(f"*/*/{CONFIG}")})


def list_comparisons(places: Sequence[Path], verb: str, console: Console) -> None:
    """Print a line for each comparison: its name, its progress, and the command that shows more of it."""
    rows = []
    for place in places:
        plan = read_plan(place)
        summary = summary_of(states_of(place), plan.jobs if plan is not None else 1)
        rows.append((place.name, summary, f"lightning-seq {verb} {shlex.quote(str(place))}"))
    if not console.is_terminal:
        _print_lines(rows, console)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("comparison", "how far", "for more"):
        table.add_column(heading, no_wrap=heading == "comparison")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_lines(rows: Iterable[Iterable[str]], console: Console) -> None:
    for row in rows:  # a console would make blanks of tabs
        print("\t".join(map(table_cell, row)), file=console.file)


def _cells(state: State) -> tuple[str, ...]:
    epoch = "" if state.epoch is None else f"{state.epoch}/{state.epochs}"
    since = state.started[:16].replace("T", " ") if state.status == "running" else ""
    took = "" if state.seconds is None else duration(state.seconds)
    return state.run, state.status, epoch, state.value, since, took, state.reason


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "epoch", "validation", "since (UTC)", "time"):
        table.add_column(heading, justify="right" if heading in ("epoch", "time") else "left", no_wrap=True)
    table.add_column("reason", min_width=16)  # this column is wrapped on a narrow terminal
    for run, named, *rest in rows:
        table.add_row(Text(run), Text(named, STYLES[named]), *map(Text, rest))
    return table
