"""Attention weights: their errors against known alignments, and their entropy."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import MeanMetric, Metric


class AlignmentErrorRate(Metric):
    """1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|), the alignment error rate of Och & Ney 2003.

    A links each target token with a known source to the source token with the greatest weight (the first of equals).
    All known links of a token are possible (P), and one of them is sure (S): a digit of a month may come from any
    letter of its name. So the rate is the share of such tokens whose greatest weight is at another source token.

    The state is two counts, so the result is the same for any number of ranks.
    """

    full_state_update = False
    higher_is_better = False
    right: Tensor
    found: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("right", "found"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self,
        weights: Float[Tensor, "B T S"],
        alignments: Bool[Tensor, "B T S"],
        target_mask: Bool[Tensor, "B T"],
        mask: Bool[Tensor, "B S"],
    ) -> None:
        """Weights (the mean of several heads), the known links of target and source tokens, and the real tokens."""
        links = alignments & target_mask[:, :, None] & mask[:, None, :]
        linked = links.any(-1)
        greatest = weights.masked_fill(~mask[:, None, :], -1).argmax(-1, keepdim=True)
        self.right += (links.gather(-1, greatest).squeeze(-1) & linked).sum()
        self.found += linked.sum()

    def compute(self) -> Tensor:
        """NaN if no link is known."""
        return 1 - self.right / self.found


class AttentionEntropy(MeanMetric):
    """The entropy of the weights of a target token, in nats, as a mean over the target tokens that count.

    0 if one source token has all the weight, log S if S have equal weights.
    """

    def __init__(self) -> None:
        super().__init__(nan_strategy="disable")

    def update(  # type: ignore[override]
        self, weights: Float[Tensor, "B T S"], target_mask: Bool[Tensor, "B T"]
    ) -> None:
        """Weights (the mean of several heads), and which target tokens count (possibly none)."""
        entropies = torch.special.entr(weights.detach().float()).sum(-1)[target_mask]
        if len(entropies):
            super().update(entropies)
