"""Cross-entropy over the targets that count."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from lightning_seq.tensors import FLOATING, check_tensor


def cross_entropy_sum(
    scores: Float[Tensor, "N C"],
    targets: Int[Tensor, "N"],
    target_mask: Bool[Tensor, "N"],
    class_weights: Float[Tensor, "C"] | None = None,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The sum, in nats, over the targets whose mask is True.

    A masked row gives no value and no gradient, even with NaN in its scores.

    Raises ValueError for another shape or device, TypeError for another type.
    """
    check_targets("cross_entropy_sum", "scores", scores, targets, target_mask)
    if class_weights is not None:
        check_tensor("cross_entropy_sum", "class_weights", class_weights, scores.shape[1:], scores, FLOATING)
    return functional.cross_entropy(
        scores,
        targets.masked_fill(~target_mask, -100),
        weight=class_weights,
        ignore_index=-100,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def check_targets(owner: str, name: str, rows: Tensor, targets: Tensor, *masks: Tensor, lead: str = "N") -> None:
    """Raises ValueError or TypeError unless each of the rows `[*lead, C]` has a target, and a place in each mask."""
    check_tensor(owner, name, rows, (*lead, "C"), None, FLOATING)
    check_tensor(owner, "targets", targets, rows.shape[:-1], rows, torch.int64)
    for mask in masks:
        check_tensor(owner, "target_mask", mask, rows.shape[:-1], rows, torch.bool)
