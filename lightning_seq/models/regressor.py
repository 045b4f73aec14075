"""Numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_seq.layers.dropout import check_rate
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.head import head
from lightning_seq.models.pooling import pooling as choose_pooling


class Regressor(nn.Module):
    """Input layer, encoder, pooling, head: as `models/classifier.py`, without a softmax, the inputs never dropped.

        ŷ = V s + c,  s = h_T with `pooling=last`

    embedding:  hands vectors on (`embeddings/layer.py`, Vectors).
    values:     W, numbers per sequence.
    pooling:    `last`, `mean`, `max`, `attention` or `auto`.
    head_sizes: widths of the hidden layers of the head (ReLU between), none for a linear head.
    dropout:    before each layer of the head.
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
        super().__init__()
        dropout = check_rate("task.dropout", float(dropout))
        self.embedding, self.encoder = embedding, encoder
        self.pooling = choose_pooling(pooling, encoder)
        self.head = head(self.pooling.width, head_sizes, values, dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Vectors `[B, T, D]` and mask `[B, T]` to values `[B, W]`."""
        return self.head(self.pooling(self.encoder(self.embedding(inputs), mask)))

    def parts(self) -> dict[str, nn.Module]:
        """As `models/parameters.py` counts them; the pooling is part of the head."""
        return {
            "embedding": self.embedding,
            "recurrent": self.encoder,
            "head": nn.ModuleList([self.pooling, self.head]),
        }

    def engines(self) -> list[str]:
        return self.encoder.engines(torch.zeros(1, 1, int(self.embedding.width)))  # type: ignore[arg-type]
