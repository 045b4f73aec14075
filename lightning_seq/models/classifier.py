"""One class for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.head import head
from lightning_seq.models.pooling import pooling as choose_pooling


class Classifier(nn.Module):
    """Input layer, encoder, pooling, head.

    embedding: from ids `[B, T]` to vectors `[B, T, E]` (or the ids themselves, for one-hot inputs).
    classes:   C.
    pooling:   `last`, `mean`, `max`, `attention` or `auto`.
    head_sizes: widths of the hidden layers of the head (ReLU between), none for a linear head.
    dropout:   on the embeddings and before each layer of the head.
    """

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        classes: int,
        pooling: str = "auto",
        head_sizes: Sequence[int] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        dropout = check_rate("task.dropout", float(dropout))
        self.embedding, self.encoder = embedding, encoder
        self.dropout = Dropout(dropout)
        self.pooling = choose_pooling(pooling, encoder)
        self.head = head(self.pooling.width, head_sizes, classes, dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Ids `[B, T]` and mask `[B, T]` to scores before the softmax `[B, C]`."""
        x = self.embedding(inputs)
        if x.is_floating_point():
            x = self.dropout(x)
        return self.head(self.pooling(self.encoder(x, mask)))

    def parts(self) -> dict[str, nn.Module]:
        """As `models/parameters.py` counts them; the pooling is part of the head."""
        return {
            "embedding": self.embedding,
            "recurrent": self.encoder,
            "head": nn.ModuleList([self.pooling, self.head]),
        }

    def engines(self) -> list[str]:
        return self.encoder.engines(self.embedding(torch.zeros(1, 1, dtype=torch.int64)))
