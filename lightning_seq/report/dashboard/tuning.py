"""Equal tuning: the expected best of n trials, by architecture, and which trial was taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from lightning_seq.files import DAMAGE
from lightning_seq.records.record import Record
from lightning_seq.records.tuning import FILE, Tuning, Tunings
from lightning_seq.report.curves import five_figures
from lightning_seq.report.dashboard.chart_style import Spec, channel, line_chart, value_axis
from lightning_seq.report.dashboard.page import Cell, Heading, Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.formats import decimal, plural
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import Group, Summary
from lightning_seq.significance import expected_best_with_replacement


def tuning(page: Page, runs: Sequence[tuple[Path, Record]], summary: Summary) -> Markup:
    """Curves, the points that were taken, and all trials, folded away; empty where nothing was tuned."""
    by_label: dict[str, Tuning] = {}
    wrong = []
    for directory in dict.fromkeys(run.parent for run, _ in runs):
        if not (directory / FILE).is_file():
            continue
        try:
            by_label = {tuning.label: tuning for tuning in Tunings.read(directory / FILE).entries} | by_label
        except DAMAGE as error:
            wrong.append(f"{directory.name}/{FILE.as_posix()} cannot be used ({' '.join(str(error).split())[:200]})")

    def part(group: Group) -> Markup:
        return _group(page, group, [by_label[label] for label in group.labels if label in by_label])

    return page.section("Tuning", "tuning", of_groups(summary, part), wrong=wrong)


def _group(page: Page, group: Group, tunings: Sequence[Tuning]) -> Markup:
    if not tunings:
        return Markup()
    cards = []
    for metric in dict.fromkeys(tuning.metric for tuning in tunings):
        mine = [tuning for tuning in tunings if tuning.metric == metric]
        rows = [
            [group.labels.index(tuning.label), n, *map(five_figures, (value, _with_replacement(tuning, n)))]
            for tuning in mine
            for n, value in enumerate(tuning.expected, 1)
        ]
        title = f"expected best {metric} of n trials"
        spec = tuning_chart(group.labels, metric, max(len(tuning.values) for tuning in mine))
        names = {"label": group.labels}
        cards.append(page.card(title, spec, "tuning", ["label", "n", "value", "paper"], rows, names, title=title))
    keys = _keys(tunings)
    metrics = ", ".join(dict.fromkeys(tuning.metric for tuning in tunings))
    first = "up" if lower_is_better(metrics.partition(",")[0]) else "down"
    worths = (metrics, "expected of one", "of all", "of all, with replacement")
    return draw(
        "tuning",
        labels=group.labels,
        legend=page.legend(tuning.label for tuning in tunings),
        cards=cards,
        head=[
            Heading("label", "text"),
            *(Heading(name) for name in ("trial taken", *keys)),
            *(Heading(name, first=first) for name in worths),
        ],
        rows=[(tuning.label, _taken(tuning, keys)) for tuning in tunings],
        directory=FILE.parent,
        trials=[(tuning.label, plural(len(tuning.values), "trial"), *_trials(tuning)) for tuning in tunings],
    )


def _with_replacement(tuning: Tuning, n: int) -> float:
    return expected_best_with_replacement(tuning.filled, n, tuning.mode)


def _taken(tuning: Tuning, keys: Sequence[str]) -> list[Cell]:
    """The point that a label was run at, and the values of its trials."""
    point, value, size = tuning.points[tuning.chosen - 1], tuning.values[tuning.chosen - 1], len(tuning.values)
    worths = [value, tuning.expected[0], tuning.expected[-1], _with_replacement(tuning, size)]
    return [
        Cell(f"{tuning.chosen} of {size}", tuning.chosen),
        *(_setting(point.get(key)) for key in keys),
        *(Cell(decimal(worth, tuning.metric), worth) for worth in worths),
    ]


def _trials(tuning: Tuning) -> tuple[list[Heading], list[list[Cell]]]:
    """Every trial of a label: its number, its point and its value."""
    keys = _keys([tuning])
    head = [
        Heading("trial"),
        *map(Heading, keys),
        Heading(tuning.metric, first="up" if tuning.mode == "min" else "down"),
    ]
    rows = []
    for place, (point, value) in enumerate(zip(tuning.points, tuning.values, strict=True), 1):
        text = "diverged" if value is None else decimal(value, tuning.metric)
        worth = Cell(text, value, "taken" if place == tuning.chosen else "")
        rows.append([Cell(str(place), place), *(_setting(point.get(key)) for key in keys), worth])
    return head, rows


def _keys(tunings: Sequence[Tuning]) -> list[str]:
    return list(dict.fromkeys(key for tuning in tunings for point in tuning.points for key in point))


def _setting(value: float | None) -> Cell:
    return Cell("" if value is None else f"{value:.4g}", value)


def tuning_chart(labels: list[str], metric: str, most: int) -> Spec:
    """The expected best of n trials, of at most `most`, a line for each label."""
    axis = {"grid": False, "values": list(range(1, most + 1, math.ceil(most / 12))), "format": "d"}
    return line_chart(
        labels,
        channel("n:Q", title="trials", scale={"nice": False, "zero": False, "padding": 10}, axis=axis),
        value_axis("value:Q"),
        [
            channel("n:Q", title="trials"),
            channel("value:Q", title=f"expected best {metric}", format=".4~f"),
            channel("paper:Q", title="with replacement", format=".4~f"),
        ],
        f"Expected best {metric} of n trials",
        height=240,
        size=34,
    )
