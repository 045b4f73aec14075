"""The class of samples that are in no other class."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ArtificialClass(nn.Module):
    """Scores of all other classes `[B, C - 1]` to scores of all `[B, C]`: the score of class `place` is 0.

    It is chosen if all other scores are negative (dos Santos et al. 2015, sec. 2.6), and has no parameters.
    """

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def forward(self, scores: Tensor) -> Tensor:
        zero = scores.new_zeros(len(scores), 1)
        return torch.cat([scores[:, : self.place], zero, scores[:, self.place :]], 1)

    def extra_repr(self) -> str:
        return f"{self.place}"
