"""The comparison as a table: Markdown for a reviewer, CSV for a program, rich for the terminal."""

from __future__ import annotations

import io
import re
from csv import writer
from typing import TYPE_CHECKING

from lightning_seq.report.escape import markdown_cell, one_line
from lightning_seq.report.headline import is_percentage
from lightning_seq.report.summary import PARAMETER_KINDS, Group, Row, Statistic, Summary

if TYPE_CHECKING:
    from rich.console import RenderableType

ONE_SEED = "One seed for each label: nothing can be concluded from one seed. Run more with seeds=3."
SHARED = "† measured while other jobs ran"
NOTHING = "–"


def decimal(value: float | None, metric: str | None = None) -> str:
    """A number for people: three decimals, fewer for large ones, and one for a metric that is a percentage."""
    if value is None:
        return NOTHING
    if metric is not None and is_percentage(metric):
        return f"{value:.1f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def mean_and_std(statistic: Statistic, metric: str | None = None) -> str:
    """`0.742 ± 0.013`, or the mean alone where one seed gave a number; BLEU as `34.2 ± 0.3`."""
    spread = f" ± {decimal(statistic.std, metric)}" if statistic.std is not None else ""
    return decimal(statistic.mean, metric) + spread


def whole(value: float | None) -> str:
    """A count or a rate: `12,345`."""
    return NOTHING if value is None else f"{value:,.0f}"


def duration(value: float | None) -> str:
    """Seconds of training, one decimal below a hundred."""
    return NOTHING if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def speed(row: Row) -> str:
    """Tokens per second, marked where other jobs ran at the same time."""
    mark = "†" if row.shared_machine and row.tokens_per_second.n else ""
    return whole(row.tokens_per_second.mean) + mark


def seed_values(statistic: Statistic, metric: str | None = None, between: str = ", ") -> str:
    """The single seeds' values, in the order of the seeds."""
    return between.join(decimal(value, metric) for value in statistic.values.values()) or NOTHING


def run_counts(row: Row) -> str:
    """`3 done, 1 failed`."""
    order = ("done", "failed", "interrupted", "running")
    return ", ".join(f"{row.counts[status]} {status}" for status in order if row.counts.get(status))


def notes(group: Group) -> list[str]:
    """What has to be said below a table for it to be read rightly."""
    lines = [one_line(text) for text in group.conventions]
    if group.done == 0:
        lines.append("No run is done yet: there is nothing to compare.")
    elif group.single_seed:
        lines.append(ONE_SEED)
    else:
        lines.append("± is the sample standard deviation over seeds.")
        counts = {row.label: row.done for row in group.rows}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{one_line(label)} {count}" for label, count in counts.items())
            lines.append(f"The labels have unequal numbers of finished seeds: {listed}.")
    for row in group.rows:
        statistic = row.metric(group.headline)
        if group.headline and statistic.n < row.done:
            missing, name = row.done - statistic.n, one_line(group.headline)
            lines.append(f"{one_line(row.label)}: {missing} of {row.done} finished runs gave no finite {name}.")
    if group.shared_machine:
        lines.append(f"{SHARED}: compare speeds only between runs made with jobs=1.")
    return lines


def problem_lines(summary: Summary) -> list[str]:
    """A line for each run that is not done."""
    lines = []
    for problem in summary.problems:
        log = f" (log: {problem.log.as_posix()})" if problem.log else ""
        error = f": {one_line(problem.error)}" if problem.error else ""
        lines.append(f"{one_line(problem.label)}, seed {problem.seed}, {problem.status}{error}{log}")
    return lines


def markdown(summary: Summary) -> str:
    """A table for each data set as Markdown, with the notes below it."""
    several = len(summary.groups) > 1
    parts = [f"# {markdown_cell(summary.name)}"]
    for group in summary.groups:
        if several:
            parts.append(f"## {markdown_cell(group.title)}")
        parts += [_markdown_table(group), _markdown_list([*_best_said(group), *notes(group)])]
    if several and summary.problems:
        parts.append("## What did not finish")
    parts.append(_markdown_list(problem_lines(summary)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(group: Group) -> str:
    head = ["label", "runs", *(f"{name} (mean ± sd)" for name in group.shown)]
    if group.headline:
        head.append(f"{group.headline} by seed")
    head += [*(f"parameters {kind}" for kind in PARAMETER_KINDS), "tokens/s", "training s", "engine"]
    lines = [_markdown_row(head), "|" + "|".join(["---"] * 2 + ["---:"] * (len(head) - 3) + ["---"]) + "|"]
    marked = group.marked()
    for row in group.rows:
        cells = [row.label, run_counts(row), *(mean_and_std(row.metric(name), name) for name in group.shown)]
        if group.headline:
            cells.append(seed_values(row.metric(group.headline), group.headline))
        cells += [whole(row.parameters.get(kind)) for kind in PARAMETER_KINDS]
        cells += [speed(row), duration(row.seconds.mean), row.engine or NOTHING]
        lines.append(_markdown_row(cells, bold=2 + group.shown.index(group.headline or "") if row in marked else None))
    return "\n".join(lines)


def _best_said(group: Group) -> list[str]:
    if not group.marked():
        return []
    return [f"Bold: the best mean of {one_line(group.headline)}."]


def _markdown_list(lines: list[str]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def csv(summary: Summary) -> str:
    """One row for each label at full precision; empty where there is no number, or a data set has no such metric."""
    metrics = list(dict.fromkeys(name for group in summary.groups for name in group.metrics))
    seeds = sorted({seed for group in summary.groups for seed in group.seeds})
    head = ["label", "task", "data", "model", "cell", "done", "failed", "unfinished", "headline"]
    for name in metrics:
        head += [f"{name} mean", f"{name} std", *(f"{name} seed {seed}" for seed in seeds)]
    head += [f"parameters {kind}" for kind in PARAMETER_KINDS]
    head += ["tokens/s", "training seconds", "measured while other jobs ran", "engine", "conventions"]
    buffer = io.StringIO()
    sheet = writer(buffer, lineterminator="\n")
    sheet.writerow(one_line(name) for name in head)
    for group in summary.groups:
        for row in group.rows:
            unfinished = sum(row.counts.values()) - row.done - row.failed
            cells = [row.label, group.task, group.data, row.model, row.cell or ""]
            cells += [str(row.done), str(row.failed), str(unfinished), group.headline or ""]
            for name in metrics:
                statistic = row.metric(name)
                numbers = [statistic.mean, statistic.std, *(statistic.values.get(seed) for seed in seeds)]
                cells += [_precise(value) for value in numbers]
            cells += [str(row.parameters.get(kind, "")) for kind in PARAMETER_KINDS]
            cells += [_precise(row.tokens_per_second.mean), _precise(row.seconds.mean)]
            cells += ["yes" if row.shared_machine else "no", row.engine, " ".join(group.conventions)]
            sheet.writerow(one_line(cell) for cell in cells)
    return buffer.getvalue()


def _precise(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def terminal(summary: Summary) -> RenderableType:
    """A table for each data set, for a terminal of 100 columns, with the notes below it."""
    from rich.console import Group as Lines
    from rich.text import Text

    parts: list[RenderableType] = []
    for group in summary.groups:
        title = f"{summary.name}: {group.title}" if len(summary.groups) > 1 else summary.name
        parts += [_terminal_table(group, one_line(title)), *(Text(note, style="dim") for note in notes(group))]
        if group is not summary.groups[-1]:
            parts.append(Text(""))
    return Lines(*parts, *(Text(line, style="dim") for line in problem_lines(summary)))


def _terminal_table(group: Group, title: str) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(title), title_justify="left", width=100)
    table.add_column("label", overflow="fold", ratio=1)
    table.add_column(Text(_folded(one_line(group.headline or "result"))), justify="right", no_wrap=True)
    table.add_column("by seed", justify="right", max_width=18)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("recurrent", justify="right", no_wrap=True)
    table.add_column("tokens/s", justify="right", no_wrap=True)
    table.add_column("train s", justify="right", no_wrap=True)
    table.add_column("done", justify="right", no_wrap=True)
    marked = group.marked()
    for row in group.rows:
        statistic = row.metric(group.headline)
        cells = [
            one_line(row.label),
            mean_and_std(statistic, group.headline),
            seed_values(statistic, group.headline, " "),
            whole(row.parameters.get("total")),
            whole(row.parameters.get("recurrent")),
            speed(row),
            duration(row.seconds.mean),
            f"{row.done}/{sum(row.counts.values())}",
        ]
        table.add_row(*(Text(cell, style="bold" if row in marked else "") for cell in cells))
    return table


def _folded(name: str, width: int = 16) -> str:
    """A long name on several lines, broken behind its slashes and underscores."""
    lines = [""]
    for part in re.findall(r"[^/_]*[/_]?", name):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _markdown_row(cells: list[str], bold: int | None = None) -> str:
    """bold: the cell that stands out."""
    safe = [markdown_cell(cell) for cell in cells]
    return "| " + " | ".join(f"**{cell}**" if index == bold else cell for index, cell in enumerate(safe)) + " |"
