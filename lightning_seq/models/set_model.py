"""A set at each step, as independent bits: which notes sound next, or what a bit becomes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout
from lightning_seq.models.encoder import Encoder


class SetModel(nn.Module):
    """A causal encoder and a logistic unit for each bit (Boulanger-Lewandowski et al. 2012; Chung et al. 2014).

        P(y_t | y_1 … y_{t-1}) = Π_i Bernoulli(y_{t,i}; σ(w_i h_t + b_i))

    embedding: hands the sets on (`embeddings/layer.py`, Vectors).
    width:     bits at each step.
    dropout:   on what the logistic units read.
    shifted:   whether the inputs are the bits of the step before (`Bits`); else they are given, P(y_t | x), and an
               encoder may read them both ways.

    Raises UserError for an encoder that reads both ways where the inputs are shifted.
    """

    def __init__(
        self, embedding: nn.Module, encoder: Encoder, width: int, dropout: float = 0.0, shifted: bool = True
    ) -> None:
        super().__init__()
        if shifted and not encoder.causal:
            raise UserError(
                "the next set is predicted from those before it, and this encoder reads both ways: it would see the "
                "answer; expected one direction, such as model=lstm, cnn_causal or transformer_causal"
            )
        self.embedding, self.encoder, self.width = embedding, encoder, width
        self.dropout, self.head = Dropout(float(dropout)), nn.Linear(encoder.output_size, width)

    def forward(self, inputs: Tensor, mask: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Sets `[B, T, D]` and mask `[B, T]` to scores before the logistic `[B, T, width]`, and the state after."""
        encoded = self.encoder(self.embedding(inputs), mask, state)
        return self.head(self.dropout(encoded.outputs)), encoded.state

    def parts(self) -> dict[str, nn.Module]:
        return {"embedding": self.embedding, "recurrent": self.encoder, "head": self.head}

    def engines(self) -> list[str]:
        return self.encoder.engines(torch.zeros(1, 1, int(self.embedding.width)))  # type: ignore[arg-type]
