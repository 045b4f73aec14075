"""Accuracy by kind of example."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torchmetrics import Metric

_TAKEN = ("accuracy_shuffled", "accuracy_choices")
"""Other metrics of the same task."""


class AccuracyByKind(Metric):
    """Share of right answers of each kind, `{"accuracy_KIND": …}`, with `_` for marks and spaces in KIND.

    The state is counts, so the result is the same for any number of ranks."""

    full_state_update = False
    counts: Tensor

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self.names = metric_names(kinds)
        self.add_state("counts", torch.zeros(len(kinds), 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, right: Bool[Tensor, "N"], kinds: Int[Tensor, "N"]) -> None:
        self.counts += torch.stack([torch.bincount(one, minlength=len(self.names)) for one in (kinds[right], kinds)], 1)

    def compute(self) -> dict[str, Tensor]:
        """NaN for a kind without an example."""
        values = self.counts[:, 0] / self.counts[:, 1]
        return dict(zip(self.names, values, strict=True))


def metric_names(kinds: Sequence[str]) -> list[str]:
    """A name of its own for the accuracy of each kind."""
    names = list(_TAKEN)
    for kind in kinds:
        name = "accuracy_" + re.sub(r"\W+", "_", kind).strip("_")
        while name in names:
            name += "_"
        names.append(name)
    return names[len(_TAKEN) :]
