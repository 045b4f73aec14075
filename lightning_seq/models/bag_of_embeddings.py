"""A baseline that ignores the order of the words."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State


class BagOfEmbeddings(Encoder):
    """The embeddings, unchanged; their mean (`pooling=mean`) is a bag of words (Iyyer et al. 2015, eq. 1).

    Without parameters and state: a recurrent encoder can be better only through the order of the words.
    """

    pooling = "mean"
    causal = True

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`[B, T, D]` to the same, zero where the mask is False."""
        if not x.is_floating_point():
            raise UserError(
                "a bag of one-hot inputs has no width to average: use embedding=random or embedding=word2vec"
            )
        return Encoded(torch.where(mask[..., None], x, torch.zeros_like(x)), mask)
