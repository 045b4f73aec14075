"""Precision, recall and F1 from counts."""

from __future__ import annotations

from torch import Tensor


def precision_recall_f1(right: Tensor, predicted: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """P = right / predicted, R = right / given, F1 = 2 P R / (P + R); 0 where there is nothing to divide by."""
    return (
        right / predicted.clamp(min=1),
        right / given.clamp(min=1),
        2 * right / (predicted + given).clamp(min=1),
    )
