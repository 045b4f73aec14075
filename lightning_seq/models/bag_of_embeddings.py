"""The order-blind baseline."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded


class BagOfEmbeddings(Encoder):
    """Hands the embeddings on as they are; averaged by `pooling=mean`, a bag of words (Iyyer et al. 2015, eq. 1).

    It has no parameters and no state: whatever a recurrent encoder does better, it does through the order of the words.
    """

    pooling = "mean"
    causal = True

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, x: Tensor, mask: Tensor, state: Any = None) -> Encoded:
        """`[B, T, D]` to the same, zero where the mask is False."""
        if not x.is_floating_point():
            raise UserError(
                "a bag of one-hot inputs has no width to average: use embedding=random or embedding=word2vec"
            )
        return Encoded(torch.where(mask[..., None], x, torch.zeros_like(x)), mask)
