"""How far a comparison is, from its directory alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_seq.comparison.plan import FILE as PLAN
from lightning_seq.comparison.plan import read_plan
from lightning_seq.errors import UserError
from lightning_seq.printable import printable
from lightning_seq.records.record import Record, read_if_there
from lightning_seq.records.tuning import FILE as TUNING
from lightning_seq.training.directory import CONFIG, is_running

STYLES = {"done": "green", "running": "cyan", "failed": "red", "interrupted": "yellow", "waiting": "dim"}
STATUSES = ("running", "failed", "interrupted", "waiting", "done")


@dataclass(frozen=True)
class State:
    """Where one run is.

    epoch, epochs: of its last validation, and at most.
    value:         the monitored metric with its name, at that validation; of a run that is done, of the weights that
                   were chosen.
    seconds:       from its start to its end, or until now.
    trained:       seconds of training alone.
    jobs:          how many runs shared the machine.
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
    """Of the run in this directory, whoever runs it, wherever."""
    label = label or directory.name
    try:
        record = read_if_there(directory)
    except UserError as error:
        return State(directory.name, label, "failed", reason=str(error))
    running = _held(directory, record)
    if record is None:
        return State(directory.name, label, "running" if running else "waiting")
    epoch, step, value = _latest(record)
    status, reason = record.status, record.error or ""
    if running and status != "done":  # the record is of an earlier attempt
        status, reason = "running", ""
    elif status == "running":
        status, reason = "interrupted", "its process is gone"
    started, finished = _time(record.started), _time(record.finished) if status != "running" else None
    end = finished or (now or datetime.now(UTC) if status == "running" else None)
    return State(
        directory.name, record.label, status, epoch, step, _epochs(record), value,
        record.started, (end - started).total_seconds() if started and end else None, _trained(record), reason,
        record.jobs,
    )  # fmt: skip


def _held(directory: Path, record: Record | None) -> bool:
    """Whether a process is at work on the run. Where another user's lock cannot be tried, its record is believed."""
    try:
        return is_running(directory)
    except OSError:
        return record is not None and record.status == "running"


def _time(text: str | None) -> datetime | None:
    with suppress(TypeError, ValueError):
        found = datetime.fromisoformat(text)  # type: ignore[arg-type]
        return found if found.tzinfo else None
    return None


def _epochs(record: Record) -> int | None:
    most = record.setting("trainer", "max_epochs")
    return most if isinstance(most, int) else None


def _latest(record: Record) -> tuple[int | None, int | None, str]:
    monitor = str(record.setting("task", "monitor") or "val/loss")
    last = _last(record, monitor)
    if last is None:
        return None, None, ""
    step, epoch, _, value = last
    if record.status == "done":
        value = record.metrics.get(monitor, value)
    shown = "not finite" if value is None else f"{monitor.removeprefix('val/')} {value:.4f}"
    return int(epoch or 0), int(step or 0), shown


def _trained(record: Record) -> float | None:
    last = _last(record, "train/loss")
    return None if last is None else last[2]


def _last(record: Record, name: str) -> list[float | None] | None:
    """The last point of a curve: step, epoch, seconds, value."""
    points = record.curves.get(name)
    return points[-1] if points and len(points[-1]) == 4 else None


def states_of(directory: Path, now: datetime | None = None) -> list[State]:
    """Of every run that the comparison's plan names, and of those that are there without being named.

    Raises UserError when the directory is no comparison's.
    """
    plan = read_plan(directory, "its runs are found by their directories, and the next command writes it again")
    found = dict(plan.runs) if plan is not None else {}
    for path in sorted(directory.glob(f"*/{CONFIG}")):
        found.setdefault(path.parent.name, "")
    if not found:
        given = (
            f"{directory} holds no run" if directory.is_dir()
            else f"{directory} is a file" if directory.exists()
            else f"{directory} is not there"
        )  # fmt: skip
        raise UserError(f"{given}: expected the directory of a comparison, such as runs/demo")
    return [state_of(directory / run, label, now) for run, label in found.items()]


def seconds_left(states: Sequence[State], jobs: int) -> float | None:
    """Estimated seconds until all runs are done; None without an estimate.

    A run is taken to need the mean of the finished runs of its label, else the mean of all finished runs, else what a
    running one needs at its pace if it does not stop early.
    """
    done: dict[str, list[float]] = {}
    for state in states:
        if state.status == "done" and state.seconds is not None:
            done.setdefault(state.label, []).append(state.seconds)
    paced = [state.seconds * state.epochs / state.epoch for state in states if _has_pace(state)]  # type: ignore[operator]
    known = [seconds for of_label in done.values() for seconds in of_label] or paced
    if not known:
        return None
    left = []
    for state in states:
        if state.status == "done":
            continue
        needed = fmean(done.get(state.label) or known)
        gone = state.seconds if state.status == "running" and state.seconds is not None else 0.0
        left.append(max(0.0, needed - gone))
    return max([sum(left) / max(1, jobs), *left], default=0.0)


def _has_pace(state: State) -> bool:
    return state.status == "running" and bool(state.seconds and state.epoch and state.epochs)


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
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    line = f"{len(states)} run{'s' if len(states) != 1 else ''}: {said}"
    if counts["done"] == len(states):
        return line
    left = seconds_left(states, jobs)
    if left is None:
        return f"{line}; no estimate until a run is done"
    return f"{line}; about {duration(left)} left with jobs={jobs}"


def status(directory: Path, console: Console) -> None:
    """Print how far a comparison is: a table on a terminal, elsewhere a line for each run, parts divided by tabs. Of a
    directory that holds comparisons, print a line for each of them.

    Raises UserError when the directory is no comparison's.
    """
    if several := comparisons_in(directory):
        list_comparisons(several, "status", console)
        return
    for place in (directory / TUNING.parent, directory):
        if place != directory and read_plan(place) is None:
            continue
        states = sorted(states_of(place), key=lambda state: (STATUSES.index(state.status), state.run))
        plan = read_plan(place)
        jobs = plan.jobs if plan is not None else max(state.jobs for state in states)
        if console.is_terminal:
            console.print(_table(states))
        else:
            for line in _lines(states):  # a console would make blanks of tabs
                print(printable(line), file=console.file)
        console.print(f"{place}: {summary_of(states, jobs)}", markup=False, highlight=False, soft_wrap=True)


def comparisons_in(directory: Path) -> list[Path]:
    """The directories of comparisons inside a directory that is none itself, such as `runs`."""
    if read_plan(directory) is not None or any(directory.glob(f"*/{CONFIG}")):
        return []
    planned = {path.parent for path in directory.glob(f"*/{PLAN}")}
    return sorted(planned | {path.parents[1] for path in directory.glob(f"*/*/{CONFIG}")})


def list_comparisons(places: Sequence[Path], verb: str, console: Console) -> None:
    """Print a line for each comparison: its name, how far it is, and the command that shows more of it."""
    rows = []
    for place in places:
        states = states_of(place)
        plan = read_plan(place)
        said = summary_of(states, plan.jobs if plan is not None else 1)
        rows.append((place.name, said, f"lightning-seq {verb} {shlex.quote(str(place))}"))
    if not console.is_terminal:
        for row in rows:
            print(printable("\t".join(row)), file=console.file)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("comparison", "how far", "for more"):
        table.add_column(heading, no_wrap=heading == "comparison")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _cells(state: State) -> tuple[str, ...]:
    epoch = "" if state.epoch is None else f"{state.epoch}/{state.epochs}"
    since = state.started[:16].replace("T", " ") if state.status == "running" else ""
    took = "" if state.seconds is None else duration(state.seconds)
    return state.run, state.status, epoch, state.value, since, took, state.reason


def _table(states: Sequence[State]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "epoch", "validation", "since (UTC)", "time", "reason"):
        free = heading == "reason"  # the column that is wrapped where the terminal is narrow
        table.add_column(
            heading, justify="right" if heading in ("epoch", "time") else "left", no_wrap=not free, min_width=16 * free
        )
    for state in states:
        run, named, *rest = _cells(state)
        table.add_row(Text(run), Text(named, STYLES[named]), *(Text(cell) for cell in rest))
    return table


def _lines(states: Sequence[State]) -> Iterator[str]:
    return ("\t".join(" ".join(cell.split()) for cell in _cells(state)) for state in states)
