"""Where attention looks: against alignments that are known, and how spread out it is."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import MeanMetric, Metric


class AlignmentErrorRate(Metric):
    """1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|), the alignment error rate of Och & Ney 2003.

    A links each target token whose source is known to the source token with the greatest weight (the first of equals).
    All known links of a token are possible (P), and it is sure (S) that it comes from one of them: a digit of a month
    may look at any letter of its name. So this is the share of such tokens that look somewhere else.

    The state is two counts, so that any number of ranks gives what one gives.
    """

    full_state_update = False
    higher_is_better = False
    right: Tensor
    found: Tensor

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        for name in ("right", "found"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self,
        weights: Float[Tensor, "B T S"],
        alignments: Bool[Tensor, "B T S"],
        target_mask: Bool[Tensor, "B T"],
        mask: Bool[Tensor, "B S"],
    ) -> None:
        """Weights (their mean, of several heads), which target token comes from which source token, and what counts."""
        links = alignments & target_mask[:, :, None] & mask[:, None, :]
        linked = links.any(-1)
        looked = weights.masked_fill(~mask[:, None, :], -1).argmax(-1, keepdim=True)
        self.right += (links.gather(-1, looked).squeeze(-1) & linked).sum()
        self.found += linked.sum()

    def compute(self) -> Tensor:
        """NaN where no link is known."""
        return 1 - self.right / self.found


class AttentionEntropy(MeanMetric):
    """The entropy of the weights of a target token, in nats, as a mean over the target tokens that count.

    0 where attention looks at one source token, log S where it looks at S equally.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(nan_strategy="disable", **keywords)

    def update(  # type: ignore[override]
        self, weights: Float[Tensor, "B T S"], target_mask: Bool[Tensor, "B T"]
    ) -> None:
        """Weights (their mean, of several heads), and which target tokens count; none may."""
        entropies = torch.special.entr(weights.detach().float()).sum(-1)[target_mask]
        if len(entropies):
            super().update(entropies)
