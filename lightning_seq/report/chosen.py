"""Labels that differ in hyperparameters alone: validation chooses one, and only its test results are shown.

If the test split ranks ten learning rates, the result of the best one is too good, partly by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lightning_seq.identity import architecture, differing, value_at
from lightning_seq.records.record import Record
from lightning_seq.report.headline import lower_is_better


@dataclass(frozen=True)
class Choice:
    """The chosen label of a family, and the others, which differ in `keys`; `metric`, of validation, chose it."""

    chosen: str
    others: tuple[str, ...]
    metric: str
    keys: tuple[str, ...]

    @property
    def sentence(self) -> str:
        count = len(self.others) + 1
        return (
            f"{self.chosen} is chosen by {self.metric} from {count} labels that differ in {', '.join(self.keys)} "
            "alone; only its test results are shown."
        )


def choices(records: Sequence[Record], headline: str | None) -> list[Choice]:
    """One for each family of labels that differ in hyperparameters alone and have finished runs.

    The metric is the one that selected their checkpoints, or else the headline metric on validation.
    """
    families: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        if record.status == "done" and record.config:
            families.setdefault(architecture(record.config), {}).setdefault(record.label, []).append(record)
    choices = []
    for labels in families.values():
        keys = differing([runs[0].config for runs in labels.values()])
        metric = _metric([run for runs in labels.values() for run in runs], headline)
        if len(labels) < 2 or not keys or metric is None:
            continue
        means = {label: _mean(runs, metric) for label, runs in labels.items()}
        known = {label: mean for label, mean in means.items() if mean is not None}
        if known:
            best = (min if lower_is_better(metric) else max)(known, key=lambda label: known[label])
            choices.append(Choice(best, tuple(label for label in labels if label != best), metric, keys))
    return choices


def without_test(record: Record) -> Record:
    """The record without its test metrics."""
    return record.with_(metrics={name: value for name, value in record.metrics.items() if not name.startswith("test/")})


def _metric(records: Sequence[Record], headline: str | None) -> str | None:
    wanted = [str(value_at(records[0].config, "task.monitor")), f"val/{str(headline).rpartition('/')[2]}", "val/loss"]
    return next((name for name in wanted if all(name in record.metrics for record in records)), None)


def _mean(records: Sequence[Record], metric: str) -> float | None:
    values = [record.metrics[metric] for record in records]
    numbers = [float(value) for value in values if isinstance(value, int | float) and abs(value) < float("inf")]
    return fmean(numbers) if len(numbers) == len(values) else None
