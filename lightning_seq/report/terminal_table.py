"""The comparison as tables for a terminal, however narrow: columns are left out before a number is cut."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.console import Group as Lines
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lightning_seq.report.escape import one_line
from lightning_seq.report.summary import Group, Row, Summary
from lightning_seq.report.tables import (
    duration,
    mean_and_std,
    notes,
    problem_lines,
    seed_values,
    signed_percentage,
    speed,
    whole,
)

LEFT_OUT = ("recurrent", "tokens/s", "train s")
"""Columns that a narrow terminal does without, the first to go first."""


def terminal(summary: Summary) -> RenderableType:
    """A table for each data set, as wide as the terminal allows, with the notes below it."""
    parts: list[RenderableType] = []
    for group in summary.groups:
        title = f"{summary.name}: {group.title}" if len(summary.groups) > 1 else summary.name
        parts.append(TerminalTable(group, one_line(title)))
        parts += [Text(one_line(text)) for text in group.verdict.sentences]
        parts += [Text(one_line(text), style="dim") for text in (*group.verdict.how, *notes(group))]
        if group is not summary.groups[-1]:
            parts.append(Text(""))
    return Lines(*parts, *(Text(line, style="dim") for line in problem_lines(summary)))


@dataclass(frozen=True)
class _Layout:
    """left_out: columns that are not shown. label, seeds: characters in a line of a label and of the seeds' values."""

    left_out: tuple[str, ...] = ()
    label: int = 24
    seeds: int = 18


def _layouts() -> Iterator[_Layout]:
    """From the widest to the narrowest."""
    for count in range(len(LEFT_OUT) + 1):
        yield _Layout(LEFT_OUT[:count])
    yield _Layout(LEFT_OUT, label=12)
    yield _Layout(LEFT_OUT, seeds=1)
    yield _Layout(LEFT_OUT, label=12, seeds=1)
    more = (*LEFT_OUT, "parameters")
    yield _Layout(more, label=12, seeds=1)
    yield _Layout((*more, "by seed"), label=12)


@dataclass(frozen=True)
class TerminalTable:
    """The table of a data set, in the widest layout that fits; where none does, cells are wrapped."""

    group: Group
    title: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update(max_width=10_000)
        for layout in _layouts():
            if Measurement.get(console, unlimited, self._table(layout)).maximum <= options.max_width:
                yield self._table(layout)
                return
        yield self._table(layout, wrapped=True)

    def _table(self, layout: _Layout, wrapped: bool = False) -> Table:
        title = Text(self.title)
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title, title_justify="left")
        significant = self.group.significant()
        rows = [(row, self._cells(row, layout)) for row in self.group.rows]
        shown = [name for name in (rows[0][1] if rows else {}) if name not in layout.left_out]
        for name in shown:
            table.add_column(
                Text(_folded(name)),
                justify="left" if name == "label" else "right",
                no_wrap=not wrapped,
                overflow="fold",
            )
        for row, cells in rows:
            table.add_row(*(Text(cells[name], style="bold" if row == significant else "") for name in shown))
        return table

    def _cells(self, row: Row, layout: _Layout) -> dict[str, str]:
        """By heading, what a row of the table says."""
        headline = self.group.headline
        statistic = row.metric(headline)
        selecting = self.group.choices[0].metric if self.group.choices else None
        return {
            "label": _folded(one_line(row.label), layout.label),
            one_line(headline or "result"): mean_and_std(statistic, headline),
            "by seed": textwrap.fill(seed_values(statistic, headline, " "), layout.seeds, break_long_words=False),
            "parameters": whole(row.parameters.get("total")),
            "recurrent": whole(row.parameters.get("recurrent")),
            **({"mismatch": signed_percentage(row.mismatch)} if self.group.matched else {}),
            "tokens/s": speed(row),
            **({one_line(selecting): mean_and_std(row.metric(selecting), selecting)} if selecting else {}),
            **({} if selecting or self.group.matched else {"train s": duration(row.seconds.mean)}),
            "done": f"{row.done}/{sum(row.counts.values())}",
        }


def _folded(name: str, width: int = 16) -> str:
    """A long name on several lines, broken behind a blank and behind `- / _ , =`; a part of more than 30 is cut."""
    lines = [""]
    for part in re.findall(r"[^-/_,= ]{0,30}[-/_,= ]?", name):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
