"""Confusion matrices from the predictions that runs left behind."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.tagging import Tagged

MOST_CLASSES = 40


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


def confusions(
    runs: list[tuple[Path, Record]], labels: list[str], tagged: list[tuple[Record, Tagged]]
) -> tuple[list[Confusion], list[str], list[str]]:
    """The confusion matrix of each label, the class names in order, and notes on what had to be left out.

    tagged: what taggers among the runs left behind: it says the order of the classes, and counts for a run whose
            predictions are not there.

    Of too many classes, those with the most confusions are named; the others are in no row or column.
    """
    found, notes = read_artifacts([run for run in runs if run[1].status == "done"], "predictions", count_pairs)
    counted = {(record.label, record.seed) for record, _ in found}
    found += [
        (record, held.pairs) for record, held in tagged if held.pairs and (record.label, record.seed) not in counted
    ]
    matrices = []
    for label in labels:
        counts: Counter[tuple[str, str]] = Counter()
        mine = [pairs for record, pairs in found if record.label == label]
        for pairs in mine:
            counts.update(pairs)
        if counts:
            matrices.append(Confusion(label, len(mine), dict(counts)))
    names = {name for matrix in matrices for pair in matrix.counts for name in pair}
    known = list(dict.fromkeys(name for _, held in tagged for name in held.labels))
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
    """How often each (target, prediction) stands in a `predictions.parquet`; what has no target does not count."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        columns = parquet.read_table(path, columns=["target", "prediction"])
        if set(columns.column_names) != {"target", "prediction"}:
            raise ValueError(f"expected the columns target and prediction, found {', '.join(columns.column_names)}")
        grouped = columns.group_by(["target", "prediction"]).aggregate([([], "count_all")]).to_pydict()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    pairs = zip(grouped["target"], grouped["prediction"], grouped["count_all"], strict=True)
    return {
        (str(target), str(prediction)): count
        for target, prediction, count in pairs
        if target is not None and prediction is not None
    }


def _share(counts: dict[tuple[str, str], int], target: str, prediction: str, total: int) -> float:
    return round(counts.get((target, prediction), 0) / total, 4) if total else 0.0


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key under which `class 9` comes before `class 10`."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts) if part]
