"""Attention to one position at a time."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_seq.attention.attention import Attention, Memory


class HardAttention(Attention):
    """The context is the value of one position (Xu et al. 2015, sec. 4.1).

    In training each head draws it from the weights, but half of the sources, drawn too, have the weighted mean at all
    steps; in evaluation it is the likeliest. The arguments are those of `Attention`.
    """

    def prepare(self, values: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Memory:
        memory = super().prepare(values, mask)
        return replace(memory, means=torch.rand(len(values), device=values.device) < 0.5) if self.training else memory

    def used(self, weights: Float[Tensor, "B N T S"], memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Weights with one position each, and ln of their probability."""
        if memory.means is None:
            one = torch.zeros_like(weights).scatter(-1, weights.argmax(-1, keepdim=True), 1.0)
            return one * (weights.sum(-1, keepdim=True) > 0), None
        with torch.no_grad():
            safe = weights + (weights.sum(-1, keepdim=True) == 0)  # an empty source has no weight
            drawn = torch.multinomial(safe.flatten(0, -2).float(), 1).view(*weights.shape[:-1], 1)
        one = torch.zeros_like(weights).scatter(-1, drawn, 1.0)
        means, picked = memory.means[:, None, None, None], weights.gather(-1, drawn)
        ln = picked.clamp(min=torch.finfo(weights.dtype).tiny).log().masked_fill(means | (picked == 0), 0)
        return torch.where(means, weights, one), ln.squeeze(-1).sum(1)
