"""Equal tuning: what the best of n trials is expected to reach, by architecture, and which trial was taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lightning_seq.files import DAMAGE
from lightning_seq.records.record import Record
from lightning_seq.records.tuning import FILE, Tuning, read_tunings
from lightning_seq.report.dashboard.charts import Spec, bare
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import cell, grouped, named, note, section, sorting
from lightning_seq.report.escape import html
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.tables import decimal
from lightning_seq.significance import expected_best_with_replacement

ABOUT = (
    "Each architecture was tried at the same points, drawn at random, and chosen on validation. The curve is what the "
    "best of n such trials is expected to be, the mean over all sets of n of those made: who has few trials to spend "
    "reads it on the left. Beside it what Dodge et al. 2019 estimate, with replacement, which is a little worse."
)


def tuned(page: Page, runs: Sequence[tuple[Path, Record]], summary: Summary) -> str:
    """Curves, the points that were taken, and all trials, folded away; empty where nothing was tuned."""
    found: dict[str, Tuning] = {}
    notes = []
    for directory in dict.fromkeys(run.parent for run, _ in runs):
        if not (directory / FILE).is_file():
            continue
        try:
            found = {tuning.label: tuning for tuning in read_tunings(directory / FILE)} | found
        except DAMAGE as error:
            notes.append(f"{directory.name}/{FILE.as_posix()} cannot be used ({' '.join(str(error).split())[:200]})")
    parts = [
        (group, _tuned(page, group, [found[label] for label in group.labels if label in found]))
        for group in summary.groups
    ]
    body = grouped(parts, len(parts) > 1) + "".join(note(text, warn=True) for text in notes)
    return section("Tuning", body, ABOUT, "tuning") if body else ""


def _tuned(page: Page, group: Group, tunings: Sequence[Tuning]) -> str:
    if not tunings:
        return ""
    cards = []
    for metric in dict.fromkeys(tuning.metric for tuning in tunings):
        mine = [tuning for tuning in tunings if tuning.metric == metric]
        rows = [
            [group.labels.index(tuning.label), n, _short(value), _short(paper)]
            for tuning in mine
            for n, value in enumerate(tuning.expected, 1)
            for paper in [expected_best_with_replacement(tuning.filled, n, tuning.mode)]
        ]
        table = page.table("tuning", ["label", "n", "value", "paper"], rows, {"label": group.labels})
        title = f"expected best {metric} of n trials"
        most = max(len(tuning.values) for tuning in mine)
        drawn = page.chart(tuning_chart(table, group.labels, metric, most), title=title, table=table)
        cards.append(f'<div class="card"><h4>{html(title)}</h4>{drawn}</div>')
    legend = page.legend([label for label in group.labels if label in {tuning.label for tuning in tunings}])
    about = note("What each label was run at, and what its trials were worth.")
    return legend + "".join(cards) + about + _chosen(group, tunings) + "".join(_trials(tuning) for tuning in tunings)


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _chosen(group: Group, tunings: Sequence[Tuning]) -> str:
    """The point that each label was run at, and what its trials were worth."""
    keys = _keys(tunings)
    metrics = ", ".join(dict.fromkeys(tuning.metric for tuning in tunings))
    head = [("label", "text", "up"), ("trial taken", "number", "up"), *((key, "number", "up") for key in keys)]
    first = "up" if lower_is_better(metrics.partition(",")[0]) else "down"
    head += [(name, "number", first) for name in (metrics, "expected of one", "of all", "of all, with replacement")]
    rows = []
    for tuning in tunings:
        point, size = tuning.points[tuning.chosen - 1], len(tuning.values)
        numbers = [tuning.values[tuning.chosen - 1], tuning.expected[0], tuning.expected[-1]]
        numbers.append(expected_best_with_replacement(tuning.filled, size, tuning.mode))
        cells = [cell(f"{tuning.chosen} of {size}", tuning.chosen), *(_setting(point.get(key)) for key in keys)]
        cells += [cell(decimal(value, tuning.metric), value) for value in numbers]
        name = named(group.labels.index(tuning.label), tuning.label)
        rows.append(f'<tr><th scope="row" data-value="{html(tuning.label)}">{name}</th>{"".join(cells)}</tr>')
    return _table(head, rows)


def _trials(tuning: Tuning) -> str:
    keys = _keys([tuning])
    head = [("trial", "number", "up"), *((key, "number", "up") for key in keys)]
    head.append((tuning.metric, "number", "up" if tuning.mode == "min" else "down"))
    rows = []
    for place, (point, value) in enumerate(zip(tuning.points, tuning.values, strict=True), 1):
        said = "diverged" if value is None else decimal(value, tuning.metric)
        shown = cell(said, value, "taken" if place == tuning.chosen else "")
        settings = "".join(_setting(point.get(key)) for key in keys)
        rows.append(f"<tr>{cell(str(place), place)}{settings}{shown}</tr>")
    title = f"{tuning.label}: {len(rows)} {'trial' if len(rows) == 1 else 'trials'}"
    where = note(f"Each is a run of its own: {FILE.parent}/{tuning.label}-trial1/ and so on.")
    return f"<details><summary>{html(title)}</summary><div>{where}{_table(head, rows)}</div></details>"


def _keys(tunings: Sequence[Tuning]) -> list[str]:
    return list(dict.fromkeys(key for tuning in tunings for point in tuning.points for key in point))


def _setting(value: float | None) -> str:
    return cell("" if value is None else f"{value:.4g}", value)


def _table(head: Sequence[tuple[str, str, str]], rows: Sequence[str]) -> str:
    titles = "".join(sorting(index, *column) for index, column in enumerate(head))
    body = f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table class="compare">{body}</table></div>'


def tuning_chart(data: str, labels: list[str], metric: str, most: int) -> Spec:
    """What the best of n trials, of at most `most`, is expected to be, a line for each label."""
    import altair as alt

    focus = "focus === '' || focus === datum.label"
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=alt.X(
            "n:Q",
            title="trials",
            scale=alt.Scale(nice=False, zero=False, padding=10),
            axis=alt.Axis(grid=False, values=list(range(1, most + 1, math.ceil(most / 12))), format="d"),
        ),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5)),
        color=alt.Color("label:N", scale=alt.Scale(domain=labels), legend=None),
    )
    dashes = [[1, 0] if index < 8 else [6, 3] for index in range(len(labels))]
    dash = alt.StrokeDash("label:N", legend=None, scale=alt.Scale(domain=labels, range=dashes))
    lines = base.mark_line(strokeWidth=2.2, strokeJoin="round").encode(
        strokeDash=dash, opacity=alt.condition(focus, alt.value(1), alt.value(0.1))
    )
    dots = base.mark_circle(size=34).encode(
        opacity=alt.condition(focus, alt.value(1), alt.value(0.08)),
        tooltip=[
            alt.Tooltip("label:N"),
            alt.Tooltip("n:Q", title="trials"),
            alt.Tooltip("value:Q", title=f"expected best {metric}", format=".4~f"),
            alt.Tooltip("paper:Q", title="with replacement", format=".4~f"),
        ],
    )
    chart = alt.layer(lines, dots).properties(
        width="container", height=240, description=f"Expected best {metric} of n trials, one colour per label"
    )
    return bare(chart.add_params(alt.param(name="focus", value="")))
