"""Confusion matrices from the predictions of runs, as a section of the dashboard."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.tagging import Tagged
from lightning_seq.report.dashboard.chart_style import Spec, channel, chart, colour, either, layer
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.formats import plural
from lightning_seq.report.predictions import read_columns
from lightning_seq.report.summary import Group, Summary

MOST_CLASSES = 40

NUMBERED = 14
"""The most classes of a confusion matrix that has the counts written into it."""

UNFOLDED = 8
"""How many labels' confusion matrices are drawn at once; those of the others are folded away."""

UNNAMED = ("sequence_to_sequence", "captioning", "regression", "bits", "language_modelling", "sequences_of_sets")
"""Tasks without confusion matrices: they predict sentences, numbers, bits or sets, not class names."""


@dataclass(frozen=True)
class Confusion:
    """`counts[target, prediction]` summed over the seeds of a label."""

    label: str
    seeds: int
    counts: dict[tuple[str, str], int]

    def rows(self, classes: list[str]) -> list[list[float | int]]:
        """Rows `[target index, prediction index, count, share of the target's row]`, for every pair."""
        totals: Counter[str] = Counter()
        for (target, _), count in self.counts.items():
            totals[target] += count
        return [
            [i, j, self.counts.get((target, prediction), 0), _share(self.counts, target, prediction, totals[target])]
            for i, target in enumerate(classes)
            for j, prediction in enumerate(classes)
        ]


def confusion_matrices(
    page: Page, runs: list[tuple[Path, Record]], tagged: list[tuple[Record, Tagged]], summary: Summary
) -> Markup:
    """A matrix for each label of each data set whose predictions are names."""

    def part(group: Group) -> Markup:
        if group.task in UNNAMED:
            return Markup()
        mine = [run for run in runs if group.holds(run[1])]
        return _group(page, mine, group, [item for item in tagged if group.holds(item[0])])

    return page.section("Confusion matrices", "confusion", of_groups(summary, part))


def _group(page: Page, runs: list[tuple[Path, Record]], group: Group, tagged: list[tuple[Record, Tagged]]) -> Markup:
    matrices, classes, notes = confusions(runs, group.labels, tagged)
    numbered = len(classes) <= NUMBERED
    cards = []
    for matrix in matrices:
        cells = [row for row in matrix.rows(classes) if row[2] or numbered]
        names = {"target": classes, "prediction": classes}
        title = f"{matrix.label}, {plural(matrix.seeds, 'seed')}"
        spec = confusion_chart(classes, matrix.label)
        card = page.card(title, spec, "confusion", ["target", "prediction", "count", "share"], cells, names)
        cards.append((group.labels.index(matrix.label), card))
    return draw(
        "confusion_matrices",
        cards=cards,
        unfolded=UNFOLDED,
        least=130 + (46 if numbered else 18) * len(classes),
        notes=notes,
    )


def confusions(
    runs: list[tuple[Path, Record]], labels: list[str], tagged: list[tuple[Record, Tagged]]
) -> tuple[list[Confusion], list[str], list[str]]:
    """The confusion matrix of each label, the class names in order, and notes on files and classes left out.

    tagged: the `tagging.json` of taggers: it gives the order of the classes, and the counts of a run without
            predictions.

    Of too many classes, those with the most confusions are named; the others are in no row or column.
    """
    counts_of, notes = read_artifacts([run for run in runs if run[1].status == "done"], "predictions", count_pairs)
    counted = {(record.label, record.seed) for record, _ in counts_of}
    counts_of += [
        (record, contents.pairs)
        for record, contents in tagged
        if contents.pairs and (record.label, record.seed) not in counted
    ]
    matrices = []
    for label in labels:
        counts: Counter[tuple[str, str]] = Counter()
        mine = [pairs for record, pairs in counts_of if record.label == label]
        for pairs in mine:
            counts.update(pairs)
        if counts:
            matrices.append(Confusion(label, len(mine), dict(counts)))
    names = {name for matrix in matrices for pair in matrix.counts for name in pair}
    known = list(dict.fromkeys(name for _, contents in tagged for name in contents.labels))
    classes = [name for name in known if name in names] + sorted(names - set(known), key=_natural)
    if len(classes) > MOST_CLASSES:
        notes.append(f"Of {len(classes)} classes, the {MOST_CLASSES} with the most confusions are shown.")
        confused: Counter[str] = Counter()
        for matrix in matrices:
            for (target, prediction), count in matrix.counts.items():
                if target != prediction:
                    confused.update({target: count, prediction: count})
        kept = set(sorted(classes, key=lambda name: -confused[name])[:MOST_CLASSES])
        classes = [name for name in classes if name in kept]
    return matrices, classes, notes


def count_pairs(path: Path) -> dict[tuple[str, str], int]:
    """How often each (target, prediction) is in a `predictions.parquet`; rows without a target do not count.

    Raises ValueError for a file without these columns.
    """
    table = read_columns(path, "target", "prediction")
    if table is None:
        raise ValueError("expected the columns target and prediction, and at least one row")
    counts = table.group_by(["target", "prediction"]).aggregate([([], "count_all")]).drop_null().to_pydict()
    pairs = zip(counts["target"], counts["prediction"], counts["count_all"], strict=True)
    return {(str(target), str(prediction)): count for target, prediction, count in pairs}


def _share(counts: dict[tuple[str, str], int], target: str, prediction: str, total: int) -> float:
    return round(counts.get((target, prediction), 0) / total, 4) if total else 0.0


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key under which `class 9` comes before `class 10`."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts) if part]


def confusion_chart(classes: list[str], label: str) -> Spec:
    """Colour as strong as the share of the true class, with the counts as text if there are few classes."""
    numbered = len(classes) <= NUMBERED
    axis = {"labelLimit": 110, "ticks": False, "domain": False, "grid": False}
    names = {"scale": {"domain": classes}}
    base = {
        "x": channel("prediction:N", title="predicted", axis=axis | {"labelAngle": -40 if numbered else -90}, **names),
        "y": channel("target:N", title="true class", axis=axis, **names),
        "tooltip": [
            channel("target:N", title="true class"),
            channel("prediction:N", title="predicted"),
            channel("count:Q", format=","),
            channel("share:Q", format=".1%", title="share of the true class"),
        ],
    }
    share = channel("share:Q", legend=None, scale={"domain": [0, 1], "range": [0.04, 1]})
    layers = [layer("rect", base | {"color": colour("high"), "opacity": share}, cornerRadius=3)]
    if numbered:
        strong = {"condition": {"test": "datum.share > 0.5", **colour("strong")}, **colour("ink")}
        counts = {
            "text": channel("count:Q", format=",d"),
            "color": strong,
            "opacity": either("datum.count > 0", 1, 0.35),
        }
        layers.append(layer("text", base | counts, fontSize=11 if len(classes) <= 9 else 9))
    height = 38 * len(classes) if numbered else {"step": 18}
    about = f"Confusion matrix of {label}, summed over seeds"
    return chart(layers, height, about, "ink", "high", "strong", width="container" if numbered else {"step": 18})
