"""The comparison as a table: Markdown for a reviewer, CSV for a program, rich for the terminal."""

from __future__ import annotations

import io
from csv import writer
from typing import TYPE_CHECKING

from lightning_seq.report.escape import markdown_cell, one_line
from lightning_seq.report.summary import PARAMETER_KINDS, Row, Statistic, Summary

if TYPE_CHECKING:
    from rich.console import RenderableType

ONE_SEED = "One seed for each label: nothing can be concluded from one seed. Run more with seeds=3."
SHARED = "† measured while other jobs ran"
NOTHING = "–"


def decimal(value: float | None) -> str:
    """A metric for people: three decimals, fewer for large numbers."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def mean_and_std(statistic: Statistic) -> str:
    """`0.742 ± 0.013`, or the mean alone where one seed gave a number."""
    spread = f" ± {decimal(statistic.std)}" if statistic.std is not None else ""
    return decimal(statistic.mean) + spread


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


def seed_values(statistic: Statistic) -> str:
    """The single seeds' values, in the order of the seeds."""
    return ", ".join(decimal(value) for value in statistic.values.values()) or NOTHING


def run_counts(row: Row) -> str:
    """`3 done, 1 failed`."""
    order = ("done", "failed", "interrupted", "running")
    return ", ".join(f"{row.counts[status]} {status}" for status in order if row.counts.get(status))


def notes(summary: Summary) -> list[str]:
    """What has to be said below the table for it to be read rightly."""
    lines = []
    if summary.done == 0:
        lines.append("No run is done yet: there is nothing to compare.")
    elif summary.single_seed:
        lines.append(ONE_SEED)
    else:
        lines.append("± is the sample standard deviation over seeds.")
        counts = {row.label: row.done for row in summary.rows}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{one_line(label)} {count}" for label, count in counts.items())
            lines.append(f"The labels have unequal numbers of finished seeds: {listed}.")
    for row in summary.rows:
        statistic = row.metric(summary.headline)
        if summary.headline and statistic.n < row.done:
            missing = row.done - statistic.n
            lines.append(
                f"{one_line(row.label)}: {missing} of {row.done} finished runs gave no finite {summary.headline}."
            )
    if summary.shared_machine:
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
    """The table as Markdown, with the notes below it."""
    metrics = summary.shown
    head = ["label", "runs", *(f"{name} (mean ± sd)" for name in metrics)]
    if summary.headline:
        head.append(f"{summary.headline} by seed")
    head += [*(f"parameters {kind}" for kind in PARAMETER_KINDS), "tokens/s", "training s", "engine"]
    lines = [_markdown_row(head), "|" + "|".join(["---"] * 2 + ["---:"] * (len(head) - 3) + ["---"]) + "|"]
    for row in summary.rows:
        cells = [row.label, run_counts(row), *(mean_and_std(row.metric(name)) for name in metrics)]
        if summary.headline:
            cells.append(seed_values(row.metric(summary.headline)))
        cells += [whole(row.parameters.get(kind)) for kind in PARAMETER_KINDS]
        cells += [speed(row), duration(row.seconds.mean), row.engine or NOTHING]
        lines.append(_markdown_row(cells))
    below = "".join(f"\n- {markdown_cell(note)}" for note in [*notes(summary), *problem_lines(summary)])
    return f"# {markdown_cell(summary.name)}\n\n" + "\n".join(lines) + "\n" + (f"{below}\n" if below else "")


def csv(summary: Summary) -> str:
    """One row for each label at full precision; empty where there is no number."""
    head = ["label", "model", "cell", "done", "failed", "unfinished"]
    for name in summary.metrics:
        head += [f"{name} mean", f"{name} std", *(f"{name} seed {seed}" for seed in summary.seeds)]
    head += [f"parameters {kind}" for kind in PARAMETER_KINDS]
    head += ["tokens/s", "measured while other jobs ran", "training seconds", "engine"]
    buffer = io.StringIO()
    sheet = writer(buffer, lineterminator="\n")
    sheet.writerow(head)
    for row in summary.rows:
        cells = [one_line(row.label), one_line(row.model), one_line(row.cell or ""), str(row.done), str(row.failed)]
        cells.append(str(sum(row.counts.values()) - row.done - row.failed))
        for name in summary.metrics:
            statistic = row.metric(name)
            numbers = [statistic.mean, statistic.std, *(statistic.values.get(seed) for seed in summary.seeds)]
            cells += ["" if value is None else f"{value:.10g}" for value in numbers]
        cells += [str(row.parameters.get(kind, "")) for kind in PARAMETER_KINDS]
        for value in (row.tokens_per_second.mean, row.seconds.mean):
            cells.append("" if value is None else f"{value:.10g}")
        cells.insert(-1, "yes" if row.shared_machine else "no")
        sheet.writerow([*cells, row.engine])
    return buffer.getvalue()


def terminal(summary: Summary) -> RenderableType:
    """The table for a terminal of 100 columns, with the notes below it."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(one_line(summary.name)), title_justify="left", width=100)
    table.add_column("label", overflow="fold", ratio=1)
    table.add_column(Text(summary.headline or "result"), justify="right", no_wrap=True)
    table.add_column("by seed", justify="right", max_width=18)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("recurrent", justify="right", no_wrap=True)
    table.add_column("tokens/s", justify="right", no_wrap=True)
    table.add_column("train s", justify="right", no_wrap=True)
    table.add_column("done", justify="right", no_wrap=True)
    best = summary.best()
    for row in summary.rows:
        statistic = row.metric(summary.headline)
        cells = [
            one_line(row.label),
            mean_and_std(statistic),
            seed_values(statistic).replace(",", ""),
            whole(row.parameters.get("total")),
            whole(row.parameters.get("recurrent")),
            speed(row),
            duration(row.seconds.mean),
            f"{row.done}/{sum(row.counts.values())}",
        ]
        style = "bold" if row is best and len(summary.rows) > 1 and not summary.single_seed else ""
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return Group(table, *(Text(note, style="dim") for note in [*notes(summary), *problem_lines(summary)]))


def _markdown_row(cells: list[str]) -> str:
    return "| " + " | ".join(markdown_cell(cell) for cell in cells) + " |"
