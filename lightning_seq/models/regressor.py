"""Numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lightning_seq.models.classifier import PooledModel
from lightning_seq.models.encoder import Encoder


class Regressor(PooledModel):
    """W numbers `[B, W]` from vectors `[B, T, D]`, without dropout on the inputs.

    ŷ = V s + c,  s = h_T with `pooling=last`
    """

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        values: int,
        pooling: str = "last",
        head_sizes: Sequence[int] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(embedding, encoder, values, pooling, head_sizes, dropout)
