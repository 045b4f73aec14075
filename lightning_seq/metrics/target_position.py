"""How often the right token is predicted, place by place."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torchmetrics import Metric


class AccuracyByPosition(Metric):
    """Accuracy at each target place: late ones suffer first where a single vector has to hold the whole source.

    positions: how many places are told apart; the last takes all later ones too.

    The state is two counts for each place, so that any number of ranks gives what one gives.
    """

    full_state_update = False
    higher_is_better = True
    right: Tensor
    counted: Tensor

    def __init__(self, positions: int = 50, **keywords: Any) -> None:
        if positions < 1:
            raise ValueError(f"positions is {positions}, expected at least 1")
        super().__init__(**keywords)
        self.positions = positions
        self.add_state("right", torch.zeros(positions, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("counted", torch.zeros(positions, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, hits: Bool[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> None:
        """Which tokens were predicted rightly, and which count."""
        places = torch.arange(hits.shape[1], device=hits.device).clamp(max=self.positions - 1)
        self.right.index_add_(0, places, (hits & mask).sum(0))
        self.counted.index_add_(0, places, mask.sum(0))

    def compute(self) -> dict[str, Any]:
        """`accuracy` and `n`, a number for each place from the first to the last that counted.

        A place that never counted has the accuracy None. `and_later`: whether the last place takes later ones too.
        """
        n = self.counted.tolist()
        last = max((place for place, count in enumerate(n, 1) if count), default=0)
        accuracy = [right / count if count else None for right, count in zip(self.right.tolist(), n, strict=True)]
        return {"accuracy": accuracy[:last], "n": n[:last], "and_later": last == self.positions}
