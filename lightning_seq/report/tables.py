"""The comparison as a table: Markdown for a reviewer, CSV for a program, LaTeX for a paper."""

from __future__ import annotations

import io
from csv import writer

from lightning_seq.records.numbers import number
from lightning_seq.report.escape import latex, markdown_cell, one_line
from lightning_seq.report.headline import is_percentage
from lightning_seq.report.summary import PARAMETER_KINDS, Group, Row, Statistic, Summary
from lightning_seq.report.verdict import interval, probability, unit

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


def signed_percentage(value: float | None) -> str:
    """`+0.26 %`."""
    return NOTHING if value is None else f"{100 * value:+.2f} %"


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


def verdict(group: Group) -> list[str]:
    """What may be concluded from a table, and how that was found."""
    return [one_line(text) for text in (*group.verdict.sentences, *group.verdict.how)]


def notes(group: Group) -> list[str]:
    """What has to be said below a table, beside the verdict, for it to be read rightly."""
    lines = [one_line(text) for text in group.conventions]
    if group.done == 0:
        lines.append("No run is done yet: there is nothing to compare.")
    elif not group.single_seed:
        lines.append("± is the sample standard deviation over seeds.")
        counts = {row.label: row.done for row in group.rows}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{one_line(label)} {count}" for label, count in counts.items())
            lines.append(f"The labels have unequal numbers of finished seeds: {listed}.")
    for row in group.rows:
        statistic = row.metric(group.headline)
        if group.headline and statistic.n < row.done and row.label not in group.unchosen:
            missing, name = row.done - statistic.n, one_line(group.headline)
            lines.append(f"{one_line(row.label)}: {missing} of {row.done} finished runs gave no finite {name}.")
    lines += dict.fromkeys(_solved(row) for row in group.rows if row.mismatch is not None)
    if group.shared_machine:
        lines.append(f"{SHARED}: compare speeds only between runs made with jobs=1.")
    return lines


def _solved(row: Row) -> str:
    """What sizes were solved for."""
    units = {"parameters": "parameters", "state": "bytes of state", "flops": "operations a token"}
    kind, target = str(row.match.get("kind")), number(row.match.get("target"))
    part = "embeddings and softmax included" if row.match.get("count") == "all" else "in the recurrent part"
    return (
        f"Sizes were solved for {whole(target)} {units.get(kind, one_line(kind))}, {part}; mismatch is how far the "
        "nearest size is from that."
    )


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
    parts = [f"# {markdown_cell(summary.name)}", *([markdown_cell(summary.sources)] if summary.sources else [])]
    for group in summary.groups:
        if several:
            parts.append(f"## {markdown_cell(group.title)}")
        parts += [
            _markdown_table(group),
            _markdown_list([*verdict(group), *_best_said(group), *notes(group)]),
            _markdown_pairs(group),
        ]
    if several and summary.problems:
        parts.append("## What did not finish")
    parts.append(_markdown_list(problem_lines(summary)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(group: Group) -> str:
    head = ["label", "runs", *(f"{name} (mean ± sd)" for name in group.shown)]
    if group.headline:
        head.append(f"{group.headline} by seed")
    head += [f"parameters {kind}" for kind in PARAMETER_KINDS] + ["mismatch"] * group.matched
    head += ["tokens/s", "training s", "engine"]
    lines = [_markdown_row(head), "|" + "|".join(["---"] * 2 + ["---:"] * (len(head) - 3) + ["---"]) + "|"]
    significant = group.significant()
    for row in group.rows:
        cells = [row.label, run_counts(row), *(mean_and_std(row.metric(name), name) for name in group.shown)]
        if group.headline:
            cells.append(seed_values(row.metric(group.headline), group.headline))
        cells += [whole(row.parameters.get(kind)) for kind in PARAMETER_KINDS]
        cells += [signed_percentage(row.mismatch)] * group.matched
        cells += [speed(row), duration(row.seconds.mean), row.engine or NOTHING]
        bold = 2 + group.shown.index(group.headline or "") if row == significant else None
        lines.append(_markdown_row(cells, bold=bold))
    return "\n".join(lines)


def _best_said(group: Group) -> list[str]:
    """Of the best mean: that it is in bold, or why it is not."""
    best = [one_line(row.label) for row in group.marked()]
    if not best:
        return []
    if group.significant() is not None:
        return [f"Bold: the best mean of {one_line(group.headline)}, told apart from every other label."]
    return [
        f"Best mean of {one_line(group.headline)}: {', '.join(best)}; not in bold, as it does not beat every other."
    ]


def pair_table(group: Group) -> tuple[list[str], list[list[str]]]:
    """Every pair of labels: headings, and cells as people read them."""
    pairs = group.verdict.pairs
    if not pairs:
        return [], []
    metric = group.headline or ""
    measured = f"difference{f' ({unit(metric)})' if unit(metric) else ''}"
    ordered = any(pair.order is not None for pair in pairs)
    head = ["better mean", "other", "seeds", measured, "95 % CI", "p (Holm)", "Cliff's delta", "told apart"]
    rows = [
        [
            pair.better,
            pair.other,
            str(len(pair.seeds)),
            *(text or NOTHING for text in interval(metric, pair)),
            probability(pair.adjusted),
            f"{pair.effect:.2f}",
            "yes" if pair.told_apart else "no",
            *([NOTHING if pair.order is None else f"{pair.order:.2f}"] if ordered else []),
        ]
        for pair in pairs
    ]
    return [*head, *(["almost stochastic order (eps)"] if ordered else [])], rows


def _markdown_pairs(group: Group) -> str:
    head, rows = pair_table(group)
    if not rows:
        return ""
    marks = "|---|---|" + "---:|" * (len(head) - 2)
    title = f"### Every pair, by {markdown_cell(group.headline)}"
    return "\n".join([title, "", _markdown_row(head), marks, *(_markdown_row(row) for row in rows)])


def tex(summary: Summary) -> str:
    """A LaTeX table for each data set, with booktabs' rules and the verdict in its caption."""
    parts = ["% \\usepackage{booktabs}", *(_tex_table(summary, group) for group in summary.groups)]
    return "\n\n".join(parts) + "\n"


def _tex_table(summary: Summary, group: Group) -> str:
    head = ["label", "runs", *group.shown, "recurrent", "parameters", *["mismatch"] * group.matched, "tokens/s"]
    significant = group.significant()
    lines = []
    for row in group.rows:
        cells = [row.label, str(row.done), *(mean_and_std(row.metric(name), name) for name in group.shown)]
        cells += [whole(row.parameters.get(kind)) for kind in ("recurrent", "total")]
        cells += [*[signed_percentage(row.mismatch)] * group.matched, speed(row)]
        safe = [latex(cell) for cell in cells]
        if row == significant:
            place = 2 + group.shown.index(group.headline or "")
            safe[place] = f"\\textbf{{{safe[place]}}}"
        lines.append(" & ".join(safe) + " \\\\")
    title = f"{summary.name}: {group.title}" if len(summary.groups) > 1 else summary.name
    said = [f"{title}.", *verdict(group), *(_best_said(group) if significant else [])]
    return "\n".join(
        [
            *(f"% {text}" for text in notes(group)),
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{latex(' '.join(said))}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            "\\toprule",
            " & ".join(latex(name) for name in head) + " \\\\",
            "\\midrule",
            *lines,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )


def _markdown_list(lines: list[str]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def csv(summary: Summary) -> str:
    """One row for each label at full precision; empty where there is no number, or a data set has no such metric.

    beats: the labels that this one is better than by more than chance.
    """
    metrics = list(dict.fromkeys(name for group in summary.groups for name in group.metrics))
    seeds = sorted({seed for group in summary.groups for seed in group.seeds})
    matched = any(group.matched for group in summary.groups)
    head = ["label", "task", "data", "model", "cell", "done", "failed", "unfinished", "headline"]
    for name in metrics:
        head += [f"{name} mean", f"{name} std", *(f"{name} seed {seed}" for seed in seeds)]
    head += [f"parameters {kind}" for kind in PARAMETER_KINDS] + ["mismatch"] * matched
    head += ["tokens/s", "training seconds", "measured while other jobs ran", "engine", "conventions", "beats"]
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
            cells += [_precise(row.mismatch)] * matched
            cells += [_precise(row.tokens_per_second.mean), _precise(row.seconds.mean)]
            cells += ["yes" if row.shared_machine else "no", row.engine, " ".join(group.conventions)]
            cells.append("; ".join(group.verdict.beaten(row.label)))
            sheet.writerow(one_line(cell) for cell in cells)
    return buffer.getvalue()


def _precise(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _markdown_row(cells: list[str], bold: int | None = None) -> str:
    """bold: the cell that stands out."""
    safe = [markdown_cell(cell) for cell in cells]
    return "| " + " | ".join(f"**{cell}**" if index == bold else cell for index, cell in enumerate(safe)) + " |"
