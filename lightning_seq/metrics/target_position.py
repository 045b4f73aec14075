"""Accuracy at each position of the target."""

from __future__ import annotations

from typing import TypedDict

import torch
from jaxtyping import Bool
from torch import Tensor
from torchmetrics import Metric


class PositionTable(TypedDict):
    """accuracy, n: for each position from the first to the last that counted (accuracy None if it never counted);
    and_later: whether the last position also holds all later ones."""

    accuracy: list[float | None]
    n: list[int]
    and_later: bool


class AccuracyByPosition(Metric):
    """Accuracy at each target position: it falls first at late ones if a single vector holds the whole source.

    positions: the number of positions; the last one also holds all later ones.

    The state is two counts for each position, so the result is the same for any number of ranks.
    """

    full_state_update = False
    higher_is_better = True
    right: Tensor
    counted: Tensor

    def __init__(self, positions: int = 50) -> None:
        if positions < 1:
            raise ValueError(f"positions is {positions}, expected at least 1")
        super().__init__()
        self.positions = positions
        self.add_state("right", torch.zeros(positions, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("counted", torch.zeros(positions, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, hits: Bool[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> None:
        """Which tokens were predicted correctly, and which count."""
        places = torch.arange(hits.shape[1], device=hits.device).clamp(max=self.positions - 1)
        self.right.index_add_(0, places, (hits & mask).sum(0))
        self.counted.index_add_(0, places, mask.sum(0))

    def compute(self) -> PositionTable:
        n = self.counted.tolist()
        last = max((place for place, count in enumerate(n, 1) if count), default=0)
        accuracy = [right / count if count else None for right, count in zip(self.right.tolist(), n, strict=True)]
        return {"accuracy": accuracy[:last], "n": n[:last], "and_later": last == self.positions}
