"""Language models: the next symbol, from those before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import check_rate
from lightning_seq.layers.dropout import dropout as make_dropout
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.models.renamed import ReadsOldNames
from lightning_seq.models.softmax import AdaptiveSoftmax, Softmax, shared_weight
from lightning_seq.spec import State


@dataclass(frozen=True)
class Read:
    """The hidden states of some symbols.

    raw:    `[B, T, H]`, the encoder's outputs.
    hidden: `[B, T, W]`, inputs of the softmax: outputs after dropout and, with tied weights, the output projection.
    state:  after the last symbol; `()` for an encoder without a state.
    """

    raw: Tensor
    hidden: Tensor
    state: State


class LanguageModel(ReadsOldNames, EncoderModel):
    """Embedding, causal encoder, softmax over the vocabulary (Mikolov et al. 2010; Zaremba et al. 2014).

        P(x_{t+1} | x_1 … x_t) = softmax(W h_t + b)

    embedding: from ids `[B, T]` to vectors `[B, T, E]` (or the ids themselves, for one-hot inputs).
    size:      V.
    dropout:   on the embeddings and on the inputs of the softmax; `locked`: one mask for all steps of a chunk.
    tied:      the softmax shares the embedding's matrix (Press & Wolf 2017); a matrix without bias projects encoder
               outputs of another width.
    adaptive:  the first ids of the clusters of an adaptive softmax; None: a full softmax.

    Raises UserError for a bidirectional encoder, and for `tied` without a trainable embedding.
    """

    head_modules = ("output_projection", "softmax")

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        size: int,
        dropout: float = 0.0,
        locked: bool = False,
        tied: bool = False,
        adaptive: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not encoder.causal:
            raise UserError(
                "a language model predicts what follows, and this encoder reads both ways: it would see the answer; "
                "expected one direction, such as model=lstm, cnn_causal or transformer_causal"
            )
        dropout = check_rate("task.dropout", dropout)
        self.embedding, self.encoder, self.size = embedding, encoder, size
        self.embedding_dropout, self.output_dropout = make_dropout(dropout, locked), make_dropout(dropout, locked)
        width, weight = encoder.output_size, None
        self.output_projection: nn.Module = nn.Identity()
        if tied:
            if adaptive:
                raise UserError("task.tied=true and task.adaptive_softmax were both given: give one of them")
            weight = shared_weight(embedding, "task.tied=true")
            if width != weight.shape[1]:
                self.output_projection = nn.Linear(width, weight.shape[1], bias=False)
            width = weight.shape[1]
        self.softmax: Softmax | AdaptiveSoftmax = (
            AdaptiveSoftmax(width, size, adaptive) if adaptive else Softmax(width, size, weight)
        )

    def read(self, inputs: Tensor, mask: Tensor, state: State | None = None) -> Read:
        """Ids `[B, T]`, their mask and the state before them."""
        x = self.embedding(inputs)
        if x.is_floating_point():
            x = self.embedding_dropout(x)
        encoded = self.encoder(x, mask, state)
        return Read(encoded.outputs, self.output_projection(self.output_dropout(encoded.outputs)), encoded.state)

    def forward(self, inputs: Tensor, mask: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Log-probabilities `[B, T, V]` of what follows each symbol, and the state after the last."""
        read = self.read(inputs, mask, state)
        return self.softmax.log_probabilities(read.hidden.flatten(0, 1)).view(*inputs.shape, -1), read.state
