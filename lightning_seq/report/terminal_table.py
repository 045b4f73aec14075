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

from lightning_seq.report.columns import rows, terminal_columns
from lightning_seq.report.escape import one_line
from lightning_seq.report.formats import NOTHING
from lightning_seq.report.over_data_sets import OverDataSets
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.tables import notes, problem_lines

LEFT_OUT = ("recurrent", "tokens/s", "train s")
"""Columns that a narrow terminal leaves out, in this order."""


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
    if summary.over is not None:
        names = ", ".join(summary.over.names)
        title = one_line(f"{summary.name}: over {len(summary.over.names)} data sets ({names})")
        parts += [Text(""), Text(title, style="italic"), _over_table(summary.over)]
        parts += [Text(one_line(text)) for text in summary.over.sentences]
        parts += [Text(one_line(text), style="dim") for text in summary.over.how]
    return Lines(*parts, *(Text(line, style="dim") for line in problem_lines(summary)))


def _over_table(over: OverDataSets) -> Table:
    """The labels over all data sets, with the rank on each."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("label", "mean rank", "ranks", "interquartile mean", "95 % CI"):
        table.add_column(heading, justify="left" if heading == "label" else "right", overflow="fold")
    for row in over.labels:
        ranks = " ".join(f"{rank:g}" for rank in row.ranks)
        middle = f"{row.middle.value:.3f}", row.middle.interval(3) or NOTHING
        table.add_row(*map(Text, (one_line(row.name), f"{row.mean_rank:.2f}", ranks, *middle)))
    return table


@dataclass(frozen=True)
class _Layout:
    """left_out: columns that are not shown. label, seeds: characters in a line of a label and of the seeds' values."""

    left_out: tuple[str, ...] = ()
    label: int = 24
    seeds: int = 18

    def folded(self, name: str, text: str) -> str:
        """The text of a cell, of labels and of the seeds' values on several lines."""
        if name == "label":
            return _folded(one_line(text), self.label)
        return textwrap.fill(text, self.seeds, break_long_words=False) if name == "by seed" else text


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
    """The table of a data set, in the widest layout that fits; if none fits, cells are wrapped."""

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
        table = Table(
            box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=Text(self.title), title_justify="left"
        )
        columns = {one_line(column.name): column for column in terminal_columns(self.group)}
        shown = {name: column for name, column in columns.items() if name not in layout.left_out}
        for name in shown:
            table.add_column(
                Text(_folded(name)),
                justify="left" if name == "label" else "right",
                no_wrap=not wrapped,
                overflow="fold",
            )
        significant = self.group.significant()
        for row in rows(self.group):
            style = "bold" if row == significant else ""
            table.add_row(*(Text(layout.folded(name, column.text(row)), style=style) for name, column in shown.items()))
        return table


def _folded(name: str, width: int = 16) -> str:
    """A long name on several lines, broken behind a blank and behind `- / _ , =`; a part of more than 30 is cut."""
    lines = [""]
    for part in re.findall(r"[^-/_,= ]{0,30}[-/_,= ]?", name):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
