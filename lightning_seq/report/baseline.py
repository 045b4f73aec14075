"""The baseline of a table: a predictor that looks at no input, next to the labels but no part of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lightning_seq.records.record import Record


@dataclass(frozen=True)
class Baseline:
    """name: in words, such as "majority class". metrics: by name, on the test split."""

    name: str
    metrics: dict[str, float]

    @property
    def label(self) -> str:
        return f"{self.name} (not trained)"


def shared_baseline(records: Sequence[Record]) -> Baseline | None:
    """The baseline of the finished runs; None if one of them has none or another one. Where seeds draw the split: the
    mean over seeds."""
    by_set: dict[int, list[Record]] = {}
    for record in records:
        if record.status == "done":
            by_set.setdefault(record.seed if record.drawn else -1, []).append(record)
    firsts = [of_set[0].baseline for of_set in by_set.values()]
    alike = all(record.baseline == of_set[0].baseline for of_set in by_set.values() for record in of_set)
    if not firsts or not all(firsts) or not alike or len({frozenset(first) for first in firsts}) > 1:
        return None
    name = next(iter(by_set.values()))[0].baseline_name or "baseline"
    return Baseline(name, {metric: fmean(first[metric] for first in firsts) for metric in firsts[0]})
