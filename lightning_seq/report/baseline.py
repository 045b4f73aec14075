"""The baseline of a table: a predictor that looks at no input, next to the labels but no part of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """The baseline of the finished runs; None if one of them has none or another one."""
    done = [record for record in records if record.status == "done"]
    if not done or not done[0].baseline:
        return None
    first = Baseline(done[0].baseline_name or "baseline", done[0].baseline)
    return first if all(record.baseline == first.metrics for record in done) else None
