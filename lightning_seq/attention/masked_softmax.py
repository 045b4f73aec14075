"""Softmax over unmasked positions."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_softmax(scores: Float[Tensor, "*lead S"], mask: Bool[Tensor, "*#lead S"]) -> Float[Tensor, "*lead S"]:
    """Softmax over the last dimension, zero where the mask is False; a fully masked row gives zeros, no NaN."""
    shut = torch.finfo(scores.dtype).min
    weights = torch.softmax(torch.where(mask, scores, torch.full_like(scores, shut)), -1)
    return torch.where(mask, weights, torch.zeros_like(weights))
