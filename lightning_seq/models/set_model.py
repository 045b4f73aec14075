"""A set at each step, as independent bits, such as the next notes."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.spec import State


class SetModel(EncoderModel):
    """A causal encoder and a logistic unit for each bit (Boulanger-Lewandowski et al. 2012; Chung et al. 2014).

        P(y_t | y_1 … y_{t-1}) = Π_i Bernoulli(y_{t,i}; σ(w_i h_t + b_i))

    embedding: `embeddings/layer.py`, Vectors.
    width:     bits at each step.
    dropout:   on the inputs of the logistic units.
    shifted:   whether the inputs are the bits of the step before (`Bits`); otherwise the model is P(y_t | x), and the
               encoder may be bidirectional.

    Raises UserError for a bidirectional encoder of shifted inputs.
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

    def forward(self, inputs: Tensor, mask: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Sets `[B, T, D]` and mask `[B, T]` to scores before the logistic `[B, T, width]`, and the state after."""
        encoded = self.encoder(self.embedding(inputs), mask, state)
        return self.head(self.dropout(encoded.outputs)), encoded.state
