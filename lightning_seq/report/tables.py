"""The comparison as a table: Markdown for a reviewer, CSV for a program, LaTeX for a paper."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from csv import writer

from lightning_seq.printable import table_cell
from lightning_seq.records.numbers import number
from lightning_seq.report import columns, over_data_sets_tables
from lightning_seq.report.baseline import Baseline
from lightning_seq.report.columns import Column, Value
from lightning_seq.report.escape import latex, markdown_cell, one_line
from lightning_seq.report.formats import NOTHING, whole
from lightning_seq.report.over_data_sets import OverDataSets
from lightning_seq.report.over_data_sets_tables import label_table
from lightning_seq.report.summary import Group, Row, Summary
from lightning_seq.report.verdict import probability

NAIVE_MODELS = ("naive", "seasonal_naive", "drift")
"""Of a forecast by rule, which may be flat."""

_READ_BY_BASELINES = {"forecasting": "the past of each series", "next_frame": "the frames before each predicted one"}
"""What baselines read, of tasks whose baselines look at the test inputs."""
_MOST_ALIKE, _MARGIN = 0.5, 0.1
"""A share of pictures with one caption up to which nothing is wrong, and how much more often it may be written than it
is right."""
SHARED = "† measured while other jobs or programs ran"


def verdict(group: Group) -> list[str]:
    """The conclusions from a table, and the test behind them."""
    return [one_line(text) for text in (*group.verdict.sentences, *group.verdict.how)]


def notes(group: Group) -> list[str]:
    """The notes below a table, next to the verdict."""
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
        judged = len(row.seeds)  # without seeds that another label lacks
        if group.headline and statistic.n < judged and row.label not in group.unchosen:
            missing, name = judged - statistic.n, one_line(group.headline)
            lines.append(f"{one_line(row.label)}: {missing} of {judged} finished runs gave no finite {name}.")
    labels: dict[str, list[str]] = {}
    for baseline in group.baselines:
        read = "the targets of the train split alone" if baseline is group.baseline else "the train split"
        read = _READ_BY_BASELINES.get(group.task, read)
        labels.setdefault(read, []).append(one_line(baseline.label))
    lines += [f"{', '.join(names)}: computed from {read}; no part of the verdict." for read, names in labels.items()]
    lines += filter(None, (_same_caption(row, group.baseline) for row in group.rows))
    if group.task == "forecasting":
        lines += filter(None, (_poor_forecast(row, group.baseline) for row in group.rows))
    lines += dict.fromkeys(_solved(row) for row in group.rows if row.mismatch is not None)
    if group.shared_machine:
        lines.append(f"{SHARED}: compare speeds only between runs made with jobs=1 on an idle machine.")
    return lines


def _same_caption(row: Row, baseline: Baseline | None) -> str:
    """A warning for a captioner that gives most pictures one caption, where no caption is right for most."""
    share = row.metric("test/commonest").mean or 0.0
    alike = baseline.metrics.get("test/exact_match", 0.0) if baseline else 0.0
    if share <= _MOST_ALIKE or share - alike <= _MARGIN:
        return ""
    known = f", and the most frequent caption is right for {100 * alike:.0f} %" if baseline else ""
    return (
        f"{one_line(row.label)} writes the same caption for {100 * share:.0f} % of the test pictures{known}: it hardly "
        "looks at them; train it longer."
    )


def _poor_forecast(row: Row, baseline: Baseline | None) -> str:
    """A warning for a network whose forecast is flat, or that does not beat seasonal naive."""
    if row.model in NAIVE_MODELS:
        return ""
    flat, error = row.metric("test/flat").mean or 0.0, row.metric("test/mase").mean
    naive = baseline.metrics.get("test/mase") if baseline else None
    reasons = []
    if flat > _MOST_ALIKE:
        reasons.append(f"gives a flat forecast for {100 * flat:.0f} % of the test windows")
    if error is not None and naive is not None and error >= naive:
        reasons.append(f"does not beat seasonal naive (MASE {error:.3f}, seasonal naive {naive:.3f})")
    return f"{one_line(row.label)} {' and '.join(reasons)}." if reasons else ""


def _solved(row: Row) -> str:
    """The target of the size matching."""
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
            _markdown_list([*verdict(group), *_best_mean(group), *notes(group)]),
            _markdown_pairs(group),
        ]
    if summary.over is not None:
        parts += ["## Over data sets", *_markdown_over(summary.over)]
    if several and summary.problems:
        parts.append("## Unfinished runs")
    parts.append(_markdown_list(problem_lines(summary)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_over(over: OverDataSets) -> list[str]:
    labels, pairs = (
        "\n".join([_markdown_row(head), "|---|" + "---:|" * (len(head) - 1), *map(_markdown_row, rows)])
        for head, rows in (label_table(over), over_data_sets_tables.pair_table(over))
    )
    return [labels, _markdown_list([one_line(text) for text in (*over.sentences, *over.how)]), pairs]


def _markdown_table(group: Group) -> str:
    shown = columns.markdown_columns(group)
    marks = ["---"] * 2 + ["---:"] * (len(shown) - 3) + ["---"]
    lines = [_markdown_row([column.name for column in shown]), "|" + "|".join(marks) + "|"]
    for row in columns.rows(group):
        lines.append(_markdown_row([column.text(row) for column in shown], _bold(group, row)))
    return "\n".join(lines)


def _bold(group: Group, row: Row) -> int | None:
    """The column of the headline, in the row of the label that beats every other one: behind the label and its runs."""
    return 2 + group.shown.index(group.headline or "") if row == group.significant() else None


def _best_mean(group: Group) -> list[str]:
    """The line about the best mean: it is in bold, or why it is not."""
    best = [one_line(row.label) for row in group.marked()]
    if not best:
        return []
    if group.significant() is not None:
        return [f"Bold: the best mean of {one_line(group.headline)}, told apart from every other label."]
    return [
        f"Best mean of {one_line(group.headline)}: {', '.join(best)}; not in bold, as it does not beat every other."
    ]


def pair_table(group: Group) -> tuple[list[str], list[list[str]]]:
    """Every pair of labels: headings, and cells as texts."""
    pairs = group.verdict.pairs
    if not pairs:
        return [], []
    unit, coverage = (scale.unit, scale.coverage) if (scale := group.verdict.scale) else ("", "")
    measured, interval = f"difference ({unit})", f"{coverage} CI".strip()
    ordered = any(pair.order is not None for pair in pairs)
    head = ["better mean", "other", "seeds", measured, interval, "p", "Cliff's delta", "decision", "seeds needed"]
    rows = [
        [
            pair.better,
            pair.other,
            "/".join(map(str, dict.fromkeys(pair.seeds))),
            *(text or NOTHING for text in group.verdict.interval(pair)),
            probability(pair.p),
            f"{pair.effect:.2f}",
            pair.decision.value,
            NOTHING if pair.needed is None else str(pair.needed),
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
    """A LaTeX table as wide as the text for each data set, with booktabs' rules and the verdict in its caption."""
    parts = ["% \\usepackage{booktabs,tabularx}"]
    named: Counter[str] = Counter()

    def name_of(title: str) -> str:
        name = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") or "results"
        named[name] += 1
        return name if named[name] == 1 else f"{name}-{named[name]}"

    for group in summary.groups:
        title = f"{summary.name}: {group.title}" if len(summary.groups) > 1 else summary.name
        parts.append(_tex_table(group, title, name_of(title)))
    if summary.over is not None:
        head, rows = label_table(summary.over)
        title = f"{summary.name}: over {len(summary.over.names)} data sets"
        cells = [" & ".join(latex(cell) for cell in row[:4]) + " \\\\" for row in rows]
        parts.append(_tex_float(title, name_of(title), [*summary.over.sentences, *summary.over.how], head[:4], cells))
    return "\n\n".join(parts) + "\n"


def _tex_table(group: Group, title: str, name: str) -> str:
    """name: of its `\\label`."""
    shown = columns.tex_columns(group)
    lines = [_tex_row(group, row, shown) for row in columns.rows(group)]
    if group.baselines:
        lines.insert(len(group.rows), "\\midrule")
    caption = [*verdict(group), *(_best_mean(group) if group.significant() else [])]
    comments = [f"% {text}" for text in notes(group)]
    return "\n".join([*comments, _tex_float(title, name, caption, [column.name for column in shown], lines)])


def _tex_float(title: str, name: str, caption: Sequence[str], head: Sequence[str], lines: Sequence[str]) -> str:
    """name: of its `\\label`; lines: the rows in LaTeX."""
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{latex(' '.join([f'{title}.', *caption]))}}}",
            f"\\label{{tab:{name}}}",
            "\\medskip",
            f"\\{'small' if len(head) < 7 else 'footnotesize'}",
            "\\setlength{\\tabcolsep}{4pt}",
            f"\\begin{{tabularx}}{{\\textwidth}}{{>{{\\raggedright\\arraybackslash}}X{'r' * (len(head) - 1)}}}",
            "\\toprule",
            " & ".join(_tex_heading(name) for name in head) + " \\\\",
            "\\midrule",
            *lines,
            "\\bottomrule",
            "\\end{tabularx}",
            "\\end{table}",
        ]
    )


def _tex_heading(name: str) -> str:
    """The split of a metric above its name, where both in a line are wide."""
    split, _, rest = name.partition("/")
    if not rest or len(name) <= len(columns.SPEED.name):
        return latex(name)
    return f"\\shortstack[r]{{{latex(split)}/\\\\{latex(rest)}}}"


def _tex_row(group: Group, row: Row, shown: list[Column]) -> str:
    """The label may break behind signs between its words: `,` `/` `_` `=` `:` `>` and a dot that no digit follows."""
    label, *cells = (latex(column.text(row)) for column in shown)
    if row == group.significant():
        cells[1] = f"\\textbf{{{cells[1]}}}"
    broken = re.sub(r"(\\_|\\textgreater\{\}|[=,/:]|\.(?!\d))(?=\S)", r"\1\\allowbreak{}", label)
    return " & ".join([broken, *cells]) + " \\\\"


def _markdown_list(lines: list[str]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def csv(summary: Summary) -> str:
    """One row for each label, and one for the baseline, at full precision; an unknown number is empty.

    beats: the labels that this one is better than by more than chance.
    """
    metrics = list(dict.fromkeys(name for group in summary.groups for name in group.metrics))
    seeds = sorted({seed for group in summary.groups for seed in group.seeds})
    shown = columns.sheet_columns(metrics, seeds, any(group.matched for group in summary.groups))
    buffer = io.StringIO()
    sheet = writer(buffer, lineterminator="\n")
    for group in summary.groups:
        for row in columns.rows(group):
            cells = _sheet_row(group, row, shown)
            if not buffer.tell():
                sheet.writerow(table_cell(one_line(name)) for name in cells)
            sheet.writerow(table_cell(one_line(_precise(value))) for value in cells.values())
    return buffer.getvalue()


def over_csv(over: OverDataSets) -> str:
    """The labels over all data sets, see `over_data_sets_tables.sheet`."""
    buffer = io.StringIO()
    writer(buffer, lineterminator="\n").writerows(
        [table_cell(one_line(_precise(value))) for value in row] for row in over_data_sets_tables.sheet(over)
    )
    return buffer.getvalue()


def _sheet_row(group: Group, row: Row, shown: list[Column]) -> dict[str, Value]:
    """By heading."""
    return {
        "label": row.label,
        "task": group.task,
        "data": group.data,
        "model": row.model,
        "cell": row.cell,
        "done": row.done,
        "failed": row.failed,
        "unfinished": sum(row.counts.values()) - row.done - row.failed,
        "headline": group.headline,
        **{column.name: column.value(row) for column in shown},
        "measured while other jobs ran": "yes" if row.shared_machine else "no",
        "engine": row.engine,
        "conventions": " ".join(group.conventions),
        "beats": "; ".join(group.verdict.beaten(row.label)),
    }


def _precise(value: Value) -> str:
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _markdown_row(cells: list[str], bold: int | None = None) -> str:
    """bold: the position of the cell in bold."""
    safe = [markdown_cell(cell) for cell in cells]
    return "| " + " | ".join(f"**{cell}**" if index == bold else cell for index, cell in enumerate(safe)) + " |"
