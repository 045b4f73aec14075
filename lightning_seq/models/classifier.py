"""A class for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.models.head import head
from lightning_seq.models.pooling import pooling as choose_pooling


class PooledModel(EncoderModel):
    """Embedding, encoder, pooling, head.

    embedding:  from inputs `[B, T]` or `[B, T, D]` to vectors `[B, T, E]` (or the ids themselves, for one-hot inputs).
    outputs:    width of the result.
    pooling:    `last`, `mean`, `max`, `attention` or `auto`.
    head_sizes: widths of the hidden layers of the head (ReLU between), none for a linear head.
    dropout:    before each layer of the head.
    """

    head_modules = ("pooling", "head")

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        outputs: int,
        pooling: str = "auto",
        head_sizes: Sequence[int] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        dropout = check_rate("task.dropout", dropout)
        self.embedding, self.encoder = embedding, encoder
        self.pooling = choose_pooling(pooling, encoder)
        self.head = head(self.pooling.width, head_sizes, outputs, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Inputs `[B, T, …]` and mask `[B, T]` to `[B, outputs]`."""
        return self.head(self.pooling(self.encoder(self.embedding(inputs), mask)))


class Classifier(PooledModel):
    """Scores of C classes `[B, C]` before the softmax; dropout also on the embeddings."""

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        x = self.embedding(inputs)
        if x.is_floating_point():
            x = self.dropout(x)
        return self.head(self.pooling(self.encoder(x, mask)))
