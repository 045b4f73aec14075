"""How many numbers a model learns, and where."""

from __future__ import annotations

from typing import Protocol

from torch import nn


class Parted(Protocol):
    """A whole model: embedding, encoder, and what follows."""

    def parts(self) -> dict[str, nn.Module]:
        """`embedding`, `recurrent` (the whole encoder) and `head`."""
        ...

    def engines(self) -> list[str]:
        """Which engine each recurrent layer runs on, from the input up."""
        ...


def count_parameters(model: Parted) -> dict[str, int]:
    """Parameters in all and in each part; one that two parts share counts in the first."""
    seen: set[int] = set()
    counts = {}
    for name, part in model.parts().items():
        fresh = [parameter for parameter in part.parameters() if id(parameter) not in seen]
        seen.update(id(parameter) for parameter in fresh)
        counts[name] = sum(parameter.numel() for parameter in fresh)
    return {"total": sum(counts.values()), **counts}
