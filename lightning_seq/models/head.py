"""From the vector of a sequence to its outputs."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout


def head(width: int, sizes: Sequence[int], outputs: int, dropout: float) -> nn.Sequential:
    """Layers from `[B, width]` to `[B, outputs]`: hidden layers of these sizes with ReLU, and a linear one.

    dropout: before each layer. Raises UserError for a size below 1.
    """
    if any(type(size) is not int or size < 1 for size in sizes):
        raise UserError(f"task.head_sizes is {list(sizes)}, expected widths of hidden layers, each at least 1")
    layers: list[nn.Module] = []
    for size in sizes:
        layers += [Dropout(dropout), nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, Dropout(dropout), nn.Linear(width, outputs))
