"""The metrics of sequence classification, exact over any number of ranks."""

from __future__ import annotations

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score


def classification_metrics(classes: int) -> MetricCollection:
    """accuracy, macro_f1 (without classes that never occur and are never predicted) and confusion `[C, C]`."""
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
            "macro_f1": MulticlassF1Score(classes, average="macro", validate_args=False),
            "confusion": MulticlassConfusionMatrix(classes, validate_args=False),
        }
    )
