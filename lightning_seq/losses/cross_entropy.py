"""Cross-entropy over the targets that count."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def cross_entropy_sum(
    scores: Float[Tensor, "N C"],
    targets: Int[Tensor, "N"],
    target_mask: Bool[Tensor, "N"],
    class_weights: Float[Tensor, "C"] | None = None,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The sum, in nats, over the targets whose mask is True.

    A masked row gives no value and no gradient, whatever its scores hold.
    """
    return functional.cross_entropy(
        scores,
        targets.masked_fill(~target_mask, -100),
        weight=class_weights,
        ignore_index=-100,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
