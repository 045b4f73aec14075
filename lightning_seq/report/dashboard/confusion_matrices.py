"""Confusion matrices from the predictions of runs, as a section of the dashboard."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.tagging import Tagged
from lightning_seq.report.dashboard.chart_style import Spec, channel, chart, colour, either, layer
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import seen
from lightning_seq.report.predictions import read_columns
from lightning_seq.report.summary import Group, Summary

MOST_CLASSES = 40

NUMBERED = 14
"""The most classes of a confusion matrix that has the counts written into it."""

UNFOLDED = 8
"""How many labels' confusion matrices are in the first picture; those of the others are in a folded one."""

WIDTH, LEAST_STEP, MOST_STEP, SMALL_STEP, GAP = 1010, 32, 46, 14, 24
"""In pixels: of the matrices side by side; sides of a cell with and without a number; between two matrices."""

UNNAMED = (
    "sequence_to_sequence", "captioning", "speech_recognition", "visual_dialog", "regression", "forecasting", "bits",
    "language_modelling", "sequences_of_sets", "next_frame",
)  # fmt: skip
"""Tasks without confusion matrices: they predict sentences, numbers, bits, sets or frames, not class names."""


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
    """A picture for each data set whose predictions are names: a matrix for each label."""

    def part(group: Group) -> Markup:
        if group.task in UNNAMED:
            return Markup()
        mine = [run for run in runs if group.holds(run[1])]
        return _group(page, mine, group, [item for item in tagged if group.holds(item[0])])

    return page.section("Confusion matrices", "confusion", of_groups(summary, part))


def _group(page: Page, runs: list[tuple[Path, Record]], group: Group, tagged: list[tuple[Record, Tagged]]) -> Markup:
    matrices, classes, notes = confusions(runs, group.labels, tagged)
    if not matrices:
        return draw("notes", wrong=notes)
    shown, hidden = Shown.of(matrices, classes)
    names = {"label": [matrix.label for matrix in matrices], "target": classes, "prediction": classes}
    columns = ["place", "label", "target", "prediction", "count", "share"]
    table = page.table("confusion", columns, shown.rows(matrices, classes), names)
    charts = [
        page.chart(
            confusion_chart(shown, names["label"], largest_differences(matrices, classes), start),
            f"Confusion matrices {group.title}" + (f" {start + 1}" if start else ""),
            table=table,
        )
        for start in range(0, len(matrices), UNFOLDED)
    ]
    seeds = sorted({matrix.seeds for matrix in matrices})
    return draw(
        "confusion_matrices",
        charts=charts,
        folded=len(matrices) - UNFOLDED,
        facts=[f"Counts of {' or '.join(map(str, seeds))} {'seed' if seeds == [1] else 'seeds'} a label.", *hidden],
        notes=notes,
    )


@dataclass(frozen=True)
class Shown:
    """The classes of a picture: rows are true classes, columns are predictions."""

    targets: list[str]
    predictions: list[str]

    @classmethod
    def of(cls, matrices: list[Confusion], classes: list[str]) -> tuple[Shown, list[str]]:
        """The classes whose row or column is not empty in the matrices of all labels, and sentences on the others."""
        seen = [{pair[side] for matrix in matrices for pair in matrix.counts} for side in (0, 1)]
        kept = [[name for name in classes if name in side] for side in seen]
        sentences = [
            f"{what}: {', '.join(missing)} ({hidden})."
            for side, what, hidden in zip(
                kept,
                ("Never the true class", "Never predicted by any label"),
                ("empty rows are hidden", "empty columns are hidden"),
                strict=True,
            )
            if (missing := [name for name in classes if name not in side])
        ]
        return cls(*kept), sentences

    @property
    def numbered(self) -> bool:
        return max(len(self.targets), len(self.predictions)) <= NUMBERED

    def rows(self, matrices: list[Confusion], classes: list[str]) -> list[list[float | int]]:
        """Rows `[label, label, target, prediction, count, share]`, of pairs that a label has; with numbers, of all."""
        pairs = {pair for matrix in matrices for pair in matrix.counts}
        return [
            [place, place, *row]
            for place, matrix in enumerate(matrices)
            for row in matrix.rows(classes)
            if (pair := (classes[int(row[0])], classes[int(row[1])])) in pairs
            or (self.numbered and pair[0] in self.targets and pair[1] in self.predictions)
        ]

    def layout(self, matrices: int) -> tuple[int, int]:
        """The number of matrices side by side, and the side of a cell in pixels."""
        size = len(self.predictions)
        least = LEAST_STEP if self.numbered else SMALL_STEP
        columns = min(matrices, max(1, (WIDTH + GAP) // (least * size + GAP)))
        most = MOST_STEP if self.numbered else SMALL_STEP + 4
        return columns, max(least, min(most, ((WIDTH + GAP) // columns - GAP) // size))


def largest_differences(matrices: list[Confusion], classes: list[str]) -> list[float]:
    """For each label the largest difference of a share between it and any other label; 1 if there is none."""
    shares = np.array([[row[3] for row in matrix.rows(classes)] for matrix in matrices])
    return [round(float(np.abs(shares - mine).max()), 4) or 1.0 for mine in shares]


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
    parts = re.split(r"0*([0-9]+)", name)
    return [(0, len(part), part) if index % 2 else (1, 0, part) for index, part in enumerate(parts) if part]


def confusion_chart(shown: Shown, labels: list[str], limits: list[float], start: int) -> Spec:
    """A matrix for each of `UNFOLDED` labels from `start` on, with shared axes and colours.

    The reader chooses between shares of the true class and differences to the shares of a label: more is one colour,
    less another, as strong as the difference over the largest one (`limits`, by label); no difference has no colour.
    """
    numbered, matrices = shown.numbered, min(UNFOLDED, len(labels) - start)
    columns, step = shown.layout(matrices)
    axis = {"labelLimit": 110, "ticks": False, "domain": False, "grid": False, "labelFontSize": 11 if numbered else 10}
    tilted = {"labelAngle": -40 if numbered else -90}
    base = {
        "x": channel("prediction:N", title="predicted", axis=axis | tilted, scale={"domain": shown.predictions}),
        "y": channel("target:N", title="true class", axis=axis, scale={"domain": shown.targets}),
        "tooltip": [
            channel("label:N"),
            channel("target:N", title="true class"),
            channel("prediction:N", title="predicted"),
            channel("count:Q", format=","),
            channel("share:Q", format=".1%", title="share of the true class"),
            channel("more:N", title="difference in points"),
        ],
    }
    sign = {"condition": {"test": "datum.shown < 0", **colour("warn")}, **colour("high")}
    strength = channel("strength:Q", legend=None, scale={"domain": [0, 1], "range": [0, 1]})
    stroke = {"stroke": {"expr": "line"}, "strokeWidth": 0.5}
    layers = [layer("rect", base | {"color": sign, "fillOpacity": strength}, **stroke)]
    if numbered:
        ink = {"condition": {"test": "datum.strength > 0.6", **colour("strong")}, **colour("ink")}
        faint = either("against !== '' || datum.count > 0", 1, 0.35)
        size = 11 if step >= 38 else 9.5
        layers.append(layer("text", base | {"text": channel("text:N"), "color": ink, "opacity": faint}, fontSize=size))
    parts = chart(layers, {"step": step}, "", width={"step": step})
    menu = {"input": "select", "name": "Difference to ", "options": ["", *labels]}
    menu |= {"labels": ["nothing: shares of the true class", *map(seen, labels)]}
    choice = [
        {"name": "limits", "value": dict(zip(labels, limits, strict=True))},
        {"name": "against", **({"value": "", "bind": menu} if len(labels) > 1 else {"expr": "''"})},
    ]
    colours = chart([], 0, "", "ink", "muted", "line", "high", "warn", "strong")["params"]
    here = f"datum.place >= {start} && datum.place < {start + matrices}"
    return {
        "description": "Confusion matrices, one for each label, summed over seeds",
        "params": [*colours, *choice],
        "transform": [
            {"filter": f"{here} || datum.label === against"},
            {"calculate": "datum.label === against ? datum.share : 0", "as": "own"},
            {
                "joinaggregate": [{"op": "sum", "field": "own", "as": "reference"}],
                "groupby": ["target", "prediction"],
            },
            {"filter": here},
            {"calculate": "datum.share - datum.reference", "as": "shown"},
            {"calculate": "against === '' ? datum.share : abs(datum.shown) / limits[against]", "as": "strength"},
            {
                "calculate": "against === '' || abs(datum.shown) < 0.0005 ? '' : format(100 * datum.shown, '+.1f')",
                "as": "more",
            },
            {"calculate": "against === '' ? format(datum.count, ',d') : datum.more", "as": "text"},
        ],
        "facet": channel(
            "label:N",
            sort={"field": "place", "op": "min"},
            header={"title": None, "labelColor": {"expr": "ink"}, "labelFontSize": 13, "labelFontWeight": 600},
        ),
        "columns": columns,
        "spacing": GAP,
        "usermeta": {"panel": step * len(shown.predictions) + GAP, "margin": 120},
        "title": {
            "text": {
                "expr": "against === '' ? 'Share of the true class, full colour at 100 %' : "
                "'Difference to ' + against + ' in points of the true class, full colour at ' + "
                "format(100 * limits[against], '.1f') + '; more and less have two colours'"
            },
            "anchor": "start",
            "color": {"expr": "muted"},
            "fontSize": 12,
            "fontWeight": 400,
        },
        "spec": {name: parts[name] for name in ("width", "height", "layer")},
    }
