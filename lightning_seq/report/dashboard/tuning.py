"""Equal tuning: the expected best of n trials, by architecture, and which trial was taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.tuning import FILE, Tuning, tunings_in
from lightning_seq.report.curves import five_figures
from lightning_seq.report.dashboard.chart_style import Spec, channel, line_chart, value_axis
from lightning_seq.report.dashboard.page import Card, Heading, Page, of_groups
from lightning_seq.report.dashboard.parallel_coordinates import axes, parallel_coordinates
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import Group, Summary
from lightning_seq.significance.effect_sizes import expected_best_with_replacement


def tuning(page: Page, runs: Sequence[tuple[Path, Record]], summary: Summary) -> Markup:
    """Curves, the points that were taken, and all trials, folded away; empty where nothing was tuned."""
    _, wrong = tunings_in(run.parent for run, _ in runs)

    def part(group: Group) -> Markup:
        by_label, _ = tunings_in(run.parent for run, record in runs if group.holds(record))
        return _group(page, group, [by_label[label] for label in group.labels if label in by_label])

    return page.section("Tuning", "tuning", of_groups(summary, part), wrong=wrong)


def _group(page: Page, group: Group, tunings: Sequence[Tuning]) -> Markup:
    if not tunings:
        return Markup()
    cards = []
    pictures: dict[str, Card] = {}
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
        shared = axes(mine)
        pictures |= {tuning.label: parallel_coordinates(page, tuning, shared) for tuning in mine}
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
        keys=keys,
        rows=[(tuning, _with_replacement(tuning, len(tuning.values))) for tuning in tunings],
        directory=FILE.parent,
        trials=[(tuning, _keys([tuning]), _trial_head(tuning), pictures[tuning.label]) for tuning in tunings],
    )


def _with_replacement(tuning: Tuning, n: int) -> float:
    return expected_best_with_replacement(tuning.filled, n, tuning.mode)


def _trial_head(tuning: Tuning) -> list[Heading]:
    value = Heading(tuning.metric, first="up" if tuning.mode == "min" else "down")
    return [Heading("trial"), *map(Heading, _keys([tuning])), value]


def _keys(tunings: Sequence[Tuning]) -> list[str]:
    return list(dict.fromkeys(key for tuning in tunings for point in tuning.points for key in point))


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
