"""Confusion matrices from the predictions that runs left behind."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.record import Record
from lightning_seq.report.artifacts import artifact

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


def confusions(runs: list[tuple[Path, Record]], labels: list[str]) -> tuple[list[Confusion], list[str], list[str]]:
    """The confusion matrix of each label, the class names in order, and notes on what had to be left out."""
    matrices, notes = [], []
    for label in labels:
        counts: Counter[tuple[str, str]] = Counter()
        seeds = 0
        for directory, record in runs:
            if record.label != label or record.status != "done":
                continue
            found = artifact(directory, record, "predictions")
            if found is None:
                continue
            if found.path is None:
                notes.append(found.note or "")
                continue
            try:
                counts.update(count_pairs(found.path))
                seeds += 1
            except (OSError, ValueError, KeyError, TypeError) as error:
                reason = " ".join(str(error).split())[:200]
                notes.append(f"{label}, seed {record.seed}: {found.path.name} cannot be used ({reason})")
        if counts:
            matrices.append(Confusion(label, seeds, dict(counts)))
    names = {name for matrix in matrices for pair in matrix.counts for name in pair}
    if len(names) > MOST_CLASSES:
        return [], [], [*notes, f"{len(names)} different classes: too many for a matrix (at most {MOST_CLASSES})."]
    return matrices, sorted(names, key=_natural), notes


def count_pairs(path: Path) -> dict[tuple[str, str], int]:
    """How often each (target, prediction) stands in a `predictions.parquet`."""
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
    return {(str(target), str(prediction)): count for target, prediction, count in pairs}


def _share(counts: dict[tuple[str, str], int], target: str, prediction: str, total: int) -> float:
    return round(counts.get((target, prediction), 0) / total, 4) if total else 0.0


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key under which `class 9` comes before `class 10`."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts) if part]
