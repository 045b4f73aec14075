"""Precision, recall and F1 from counts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_seq.files import Plain


def precision_recall_f1(right: Tensor, predicted: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """P = right / predicted, R = right / given, F1 = 2 P R / (P + R); 0 instead of a division by zero."""
    return (right / predicted.clamp(min=1), right / given.clamp(min=1), 2 * right / (predicted + given).clamp(min=1))


def span_table(kinds: Sequence[str], counts: Tensor) -> list[dict[str, Plain]]:
    """A row for each kind of span.

    counts: `[K, 3]`: correct, predicted and true spans.
    """
    values = torch.stack(precision_recall_f1(*counts.unbind(1)), 1).tolist()
    return [
        {"kind": kind, "precision": precision, "recall": recall, "f1": f1, "predicted": predicted, "spans": spans}
        for kind, (precision, recall, f1), (_, predicted, spans) in zip(kinds, values, counts.tolist(), strict=True)
    ]
