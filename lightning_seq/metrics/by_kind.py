"""Accuracy by kind of example."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torchmetrics import Metric


class AccuracyByKind(Metric):
    """Share of right answers of each kind, `{"accuracy_KIND": …}`; the state is counts, so the result is the same for
    any number of ranks."""

    full_state_update = False
    counts: Tensor

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self.kinds = tuple(kinds)
        self.add_state("counts", torch.zeros(len(kinds), 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, right: Bool[Tensor, "N"], kinds: Int[Tensor, "N"]) -> None:
        self.counts += torch.stack([torch.bincount(one, minlength=len(self.kinds)) for one in (kinds[right], kinds)], 1)

    def compute(self) -> dict[str, Tensor]:
        """NaN for a kind without an example."""
        values = self.counts[:, 0] / self.counts[:, 1]
        return {f"accuracy_{kind}": value for kind, value in zip(self.kinds, values, strict=True)}
