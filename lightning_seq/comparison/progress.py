"""The table of runs on the terminal while they run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lightning_seq.comparison.status import STYLES, State, state_of
from lightning_seq.identity import candidates
from lightning_seq.launch.job import Job
from lightning_seq.records.record import FILE, Record
from lightning_seq.terminal import say
from lightning_seq.training.planned import Planned, record_of

LINES = 40
"""The most runs in the table: those that run, then those that wait."""


class RunTable:
    """A live table of runs on a terminal; elsewhere a line when a run ends."""

    def __init__(self, runs: Sequence[Planned], console: Console) -> None:
        self.runs, self.console = runs, console
        self.active: dict[str, float] = {}
        self.printed: set[str] = {run.title for run in runs if run.is_done()}
        self._before = {run.title: _modified(run.directory) for run in runs}
        self.live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._last = 0.0
        self._candidates = candidates({run.entry.label: run.entry.config for run in runs})
        self._states: dict[str, tuple[int, State]] = {}

    def __enter__(self) -> RunTable:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()
        self._print_ended()

    def watch(self, running: Sequence[Job]) -> None:
        self.active = {job.run.title: time.monotonic() - job.started for job in running}
        if time.monotonic() - self._last < 0.5:
            return
        self._last = time.monotonic()
        self._print_ended()
        if self.live:
            self.live.update(self._table())

    def _print_ended(self) -> None:
        for run in self.runs:
            if run.title in self.printed or run.title in self.active:
                continue
            if _modified(run.directory) == self._before[run.title]:
                continue  # no record yet, or that of an earlier attempt
            record = record_of(run)
            if record and record.status != "running":
                self.printed.add(run.title)
                self._states.pop(run.title, None)
                say(self.console, _line(run, record, run.entry.label in self._candidates))

    def _table(self) -> Table:
        """The runs that have not ended. No cell is markup: Rich renders the table again with each line that is printed
        above it, under that line's options."""
        table = Table(box=None, pad_edge=False)
        for heading in ("run", "status", "epoch", "step", "validation", "seconds"):
            justify: JustifyMethod = "right" if heading in ("epoch", "step", "seconds") else "left"
            table.add_column(heading, justify=justify, no_wrap=True)
        left = [run for run in self.runs if run.title not in self.printed]
        left.sort(key=lambda run: run.title not in self.active)
        for run in left[:LINES]:
            state = self._state(run)
            status = "running" if run.title in self.active else state.status
            seconds = self.active.get(run.title, state.trained)
            counts = ["" if count is None else str(count) for count in (state.epoch, state.step)]
            elapsed = f"{seconds:.0f}" if seconds is not None else ""
            cells = (Text(cell) for cell in (*counts, state.value, elapsed))
            table.add_row(Text(run.title), Text(status, STYLES[status]), *cells)
        if len(left) > LINES:
            table.add_row(Text(f"and {len(left) - LINES} more"), Text("waiting", "dim"))
        return table

    def _state(self, run: Planned) -> State:
        """The state of a run, read again when its record has changed: reading hundreds of records takes long."""
        modified = _modified(run.directory)
        known = self._states.get(run.title)
        if known is None or known[0] != modified:
            known = modified, state_of(run.directory, run.entry.label)
            self._states[run.title] = known
        return known[1]


def _modified(directory: Path) -> int:
    try:
        return (directory / FILE).stat().st_mtime_ns
    except OSError:
        return 0


def _line(run: Planned, record: Record, is_candidate: bool) -> str:
    """The results of a run: of a candidate on validation, as test results are shown for the chosen one alone."""
    if record.status != "done":
        return f"{run.title}: {record.status}: {record.error} (see {run.directory / 'log.txt'})"
    split = "test/" if any(name.startswith("test/") for name in record.metrics) and not is_candidate else "val/"
    metrics = [
        f"{name} {value:.4f}" for name, value in record.metrics.items() if name.startswith(split) and value is not None
    ]
    points = record.curves.get("train/loss")
    trained = f"{points[-1][2]:.0f}" if points and points[-1][2] is not None else ""
    return f"{run.title}: {'  '.join(metrics)}  {trained} s of training"
