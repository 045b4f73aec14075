"""The comparison over several data sets as tables: cells as texts for people, at full precision for programs."""

from __future__ import annotations

import math

from lightning_seq.report.formats import NOTHING
from lightning_seq.report.over_data_sets import OverDataSets
from lightning_seq.report.verdict import probability


def label_table(result: OverDataSets) -> tuple[list[str], list[list[str]]]:
    """A row for each label: headings, and cells as texts."""
    head = [
        "label",
        "mean rank",
        "interquartile mean",
        "95 % CI",
        *(f"rank (score) on {name}" for name in result.names),
    ]
    return head, [
        [
            row.name,
            f"{row.mean_rank:.2f}",
            f"{row.middle.value:.3f}",
            row.middle.interval(3) or NOTHING,
            *(f"{rank:g} ({score:.3f})" for rank, score in zip(row.ranks, row.scores, strict=True)),
        ]
        for row in result.labels
    ]


def pair_table(result: OverDataSets) -> tuple[list[str], list[list[str]]]:
    """Every pair of labels: headings, and cells as texts."""
    head = ["better", "other", "probability of improvement", "95 % CI", "p over data sets", "decision"]
    return head, [
        [
            pair.better,
            pair.other,
            f"{pair.improvement.value:.2f}",
            pair.improvement.interval() or NOTHING,
            probability(pair.p),
            "beats" if pair.told_apart else "not decided",
        ]
        for pair in result.pairs
    ]


def sheet(result: OverDataSets) -> list[list[str | float | None]]:
    """A row for each label at full precision, headings first.

    `better than X` is the probability of improvement over label X, `p against X` the adjusted p over data sets.
    """
    names = [row.name for row in result.labels]
    pairs = {(pair.better, pair.other): pair for pair in result.pairs}
    turned = {(pair.other, pair.better): pair for pair in result.pairs}
    head = ["label", "mean rank", "interquartile mean", "low", "high"]
    head += [f"{what} on {name}" for what in ("rank", "score") for name in result.names]
    for name in names:
        head += [f"better than {name}{end}" for end in ("", " low", " high")] + [f"p against {name}"]
    rows: list[list[str | float | None]] = [[*head]]
    for row in result.labels:
        cells: list[str | float | None] = [row.name, row.mean_rank, row.middle.value, row.middle.low, row.middle.high]
        cells += [*row.ranks, *row.scores]
        for name in names:
            if pair := pairs.get((row.name, name)):
                cells += [pair.improvement.value, pair.improvement.low, pair.improvement.high, pair.p]
            elif pair := turned.get((row.name, name)):
                chance = pair.improvement
                cells += [1 - chance.value, 1 - chance.high, 1 - chance.low, pair.p]
            else:
                cells += [None] * 4
        rows.append([None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells])
    return rows
