"""The number of parameters of each part of a model."""

from __future__ import annotations

from typing import Protocol

from torch import nn


class Parted(Protocol):
    def parts(self) -> dict[str, nn.Module]:
        """`embedding`, `recurrent` (the whole encoder) and `head`."""
        ...


def count_parameters(model: Parted) -> dict[str, int]:
    """Parameters in total and in each part; a shared parameter counts in the first part that has it."""
    counted: set[nn.Parameter] = set()
    counts = {}
    for name, part in model.parts().items():
        uncounted = set(part.parameters()) - counted
        counted |= uncounted
        counts[name] = sum(parameter.numel() for parameter in uncounted)
    return {"total": sum(counts.values()), **counts}
