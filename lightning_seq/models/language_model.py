"""The symbol that follows, from those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import dropout as make_dropout
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.renamed import ReadsOldNames
from lightning_seq.models.softmax import AdaptiveSoftmax, Softmax


@dataclass(frozen=True)
class Read:
    """What a language model made of some symbols.

    raw:    `[B, T, H]`, the encoder's outputs.
    hidden: `[B, T, W]`, what the softmax reads: outputs after dropout and, with tied weights, brought to their width.
    state:  after the last symbol; `()` for an encoder without a state.
    """

    raw: Tensor
    hidden: Tensor
    state: Any


class LanguageModel(ReadsOldNames):
    """Input layer, a causal encoder, a softmax over the vocabulary (Mikolov et al. 2010; Zaremba et al. 2014).

        P(x_{t+1} | x_1 … x_t) = softmax(W h_t + b)

    embedding: from ids `[B, T]` to vectors `[B, T, E]` (or the ids themselves, for one-hot inputs).
    size:      V.
    dropout:   on the embeddings and on what the softmax reads; `locked`: one mask for all steps of a chunk.
    tied:      the softmax's matrix is the embedding's (Press & Wolf 2017); where the encoder's outputs have another
               width, a matrix without bias brings them to it.
    adaptive:  where the clusters of an adaptive softmax begin, or None for the whole softmax.

    Raises UserError for an encoder that reads both ways, and for `tied` without an embedding that learns.
    """

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
        if not 0 <= dropout < 1:
            raise UserError(f"task.dropout is {dropout}, expected at least 0 and less than 1")
        self.embedding, self.encoder, self.size = embedding, encoder, size
        self.embedding_dropout, self.output_dropout = (
            make_dropout(float(dropout), locked),
            make_dropout(float(dropout), locked),
        )
        width, weight = encoder.output_size, None
        self.output_projection: nn.Module = nn.Identity()
        if tied:
            if adaptive:
                raise UserError("task.tied=true and task.adaptive_softmax were both given: give one of them")
            if not isinstance(embedding, Embedding) or embedding.frozen:
                raise UserError(
                    "task.tied=true shares the embedding's matrix with the softmax: expected embedding=random, "
                    "word2vec or file, with embedding.frozen=false"
                )
            weight = embedding.weight
            if width != embedding.width:
                self.output_projection = nn.Linear(width, embedding.width, bias=False)
            width = embedding.width
        self.softmax: Softmax | AdaptiveSoftmax = (
            AdaptiveSoftmax(width, size, adaptive) if adaptive else Softmax(width, size, weight)
        )

    def read(self, inputs: Tensor, mask: Tensor, state: Any = None) -> Read:
        """Ids `[B, T]`, their mask and the state before them."""
        x = self.embedding(inputs)
        if x.is_floating_point():
            x = self.embedding_dropout(x)
        encoded = self.encoder(x, mask, state)
        return Read(encoded.outputs, self.output_projection(self.output_dropout(encoded.outputs)), encoded.state)

    def forward(self, inputs: Tensor, mask: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Log-probabilities `[B, T, V]` of what follows each symbol, and the state after the last."""
        read = self.read(inputs, mask, state)
        return self.softmax.log_probabilities(read.hidden.flatten(0, 1)).view(*inputs.shape, -1), read.state

    def parts(self) -> dict[str, nn.Module]:
        """As `models/parameters.py` counts them: a shared matrix is the embedding's."""
        head = nn.ModuleList([self.output_projection, self.softmax])
        return {"embedding": self.embedding, "recurrent": self.encoder, "head": head}

    def engines(self) -> list[str]:
        return self.encoder.engines(self.embedding(torch.zeros(1, 1, dtype=torch.int64)))
