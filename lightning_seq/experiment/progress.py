"""What the terminal shows while runs run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console
from rich.live import Live
from rich.table import Table

from lightning_seq.errors import UserError
from lightning_seq.experiment.grid import Planned
from lightning_seq.experiment.launch import Job
from lightning_seq.record import FILE, Record, read

STYLES = {"done": "green", "running": "cyan", "failed": "red", "interrupted": "yellow", "waiting": "dim"}


def record_of(run: Planned) -> Record | None:
    """The run's record, or None where it has none that can be read."""
    with suppress(UserError):
        return read(run.directory) if (run.directory / FILE).is_file() else None
    return None


class RunTable:
    """A live table of runs on a terminal; elsewhere a line when a run ends."""

    def __init__(self, runs: Sequence[Planned], console: Console) -> None:
        self.runs, self.console = runs, console
        self.active: dict[str, float] = {}
        self.told: set[str] = {run.title for run in runs if run.is_done()}
        self.live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._last = 0.0

    def __enter__(self) -> RunTable:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()
        self._tell_ended()

    def watch(self, running: Sequence[Job]) -> None:
        self.active = {job.run.title: time.monotonic() - job.started for job in running}
        if time.monotonic() - self._last < 0.5:
            return
        self._last = time.monotonic()
        self._tell_ended()
        if self.live:
            self.live.update(self._table())

    def _tell_ended(self) -> None:
        for run in self.runs:
            if run.title in self.told or run.title in self.active:
                continue
            record = record_of(run)
            if record and record.status != "running":
                self.told.add(run.title)
                self.console.print(_line(run, record), highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("run", "status", "epoch", "step", "validation", "seconds"):
            table.add_column(heading, justify="right" if heading in ("epoch", "step", "seconds") else "left")
        for run in self.runs:
            record = record_of(run)
            status = "running" if run.title in self.active else record.status if record else "waiting"
            epoch, step, value = _latest(record)
            seconds = self.active.get(run.title)
            elapsed = f"{seconds:.0f}" if seconds is not None else _trained(record)
            table.add_row(run.title, f"[{STYLES[status]}]{status}[/]", epoch, step, value, elapsed)
        return table


def _latest(record: Record | None) -> tuple[str, str, str]:
    """Epoch, step and the monitored value, as of the last validation."""
    if record is None:
        return "", "", ""
    monitor = record.config.get("task", {}).get("monitor", "val/loss")
    points = record.curves.get(monitor) or []
    if not points:
        return "", "", ""
    step, epoch, _, value = points[-1]
    shown = "not finite" if value is None else f"{monitor.removeprefix('val/')} {value:.4f}"
    return str(int(epoch or 0)), str(int(step or 0)), shown


def _trained(record: Record | None) -> str:
    points = record.curves.get("train/loss") if record else None
    return f"{points[-1][2]:.0f}" if points and points[-1][2] is not None else ""


def _line(run: Planned, record: Record) -> str:
    if record.status != "done":
        return f"{run.title}: {record.status}: {record.error} (see {run.directory / 'log.txt'})"
    tests = [(name, value) for name, value in record.metrics.items() if name.startswith("test/") and value is not None]
    said = "  ".join(f"{name} {value:.4f}" for name, value in tests)
    return f"{run.title}: {said}  {_trained(record)} s of training"
