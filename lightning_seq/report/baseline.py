"""The baselines of a table: predictors that are not trained, next to the labels but no part of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lightning_seq.printable import number_of
from lightning_seq.records.captions import TRAINED_ENCODER
from lightning_seq.records.record import Record


@dataclass(frozen=True)
class Baseline:
    """name: in words, such as "majority class". metrics: by name, on the test split. runs: of which they are the mean,
    if each run has its own; 0 for a predictor that is not trained."""

    name: str
    metrics: dict[str, float]
    runs: int = 0

    @property
    def label(self) -> str:
        return f"{self.name} (mean of {number_of(self.runs, 'run')})" if self.runs else f"{self.name} (not trained)"


def shared_baseline(records: Sequence[Record]) -> Baseline | None:
    """The baseline of the finished runs; None if one of them has none or another one. Where seeds draw the split: the
    mean over seeds."""
    done = [record for record in records if record.status == "done"]
    metrics = _shared(done, [record.baseline for record in done])
    return Baseline(done[0].baseline_name or "baseline", metrics) if metrics else None


def further_baselines(records: Sequence[Record]) -> tuple[Baseline, ...]:
    """As `shared_baseline`, each further one of the finished runs that have it; the mean over runs of one that each run
    has of its own."""
    made = []
    for name in dict.fromkeys(name for record in records for name in record.further_baselines):
        done = [record for record in records if record.status == "done" and name in record.further_baselines]
        if name == TRAINED_ENCODER and done:
            own = [record.further_baselines[name] for record in done]
            known = [metric for metric in own[0] if all(metric in other for other in own)]
            made.append(Baseline(name, {metric: fmean(other[metric] for other in own) for metric in known}, len(own)))
        elif metrics := _shared(done, [record.further_baselines[name] for record in done]):
            made.append(Baseline(name, metrics))
    return tuple(made)


def _shared(records: Sequence[Record], metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    """The metrics that these runs share; empty if one has none or others."""
    by_set: dict[int, list[dict[str, float]]] = {}
    for record, own in zip(records, metrics, strict=True):
        by_set.setdefault(record.seed if record.drawn else -1, []).append(own)
    firsts = [of_set[0] for of_set in by_set.values()]
    alike = all(own == of_set[0] for of_set in by_set.values() for own in of_set)
    if not firsts or not all(firsts) or not alike or len({frozenset(first) for first in firsts}) > 1:
        return {}
    return {metric: fmean(first[metric] for first in firsts) for metric in firsts[0]}
