"""The base of every model that writes a sequence: an encoder of something, and a decoder of symbols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.layers.dropout import Dropout
from lightning_seq.models.decoder import Decoder, DecoderState, Source
from lightning_seq.models.renamed import ReadsOldNames
from lightning_seq.models.softmax import Softmax
from lightning_seq.text.vocabulary import BOS, PAD

UNWRITTEN = (PAD, BOS)
"""Symbols that are in no target."""


class DecoderOutput(NamedTuple):
    """hidden: `[B, T, W]`, for the softmax; weights: `[B, T, S]` of attention, or None; inputs: `[B, T]`, the decoder's
    input symbols, `<bos>` first; chosen: `[B, T]` see `attention.Drawn`."""

    hidden: Tensor
    weights: Tensor | None
    inputs: Tensor
    chosen: Tensor | None = None


class SequenceWriter(ReadsOldNames, ABC):
    """P(y_t | y_1 … y_{t-1}, x) = softmax(W r_t + b), r_t as in `Decoder`.

    A subclass encodes x, and sets these modules.

    target:            the embedding of symbols, from ids `[B, T]` to vectors.
    decoder, softmax:  over the target.
    output_projection: between them.
    dropout:           on the embeddings; output_dropout: on the inputs of the softmax.
    size:              V, of the target.
    """

    target: nn.Module
    decoder: Decoder
    softmax: Softmax
    output_projection: nn.Module
    dropout: Dropout
    output_dropout: Dropout
    size: int

    def set_output(self, size: int, weight: nn.Parameter | None, width: int) -> None:
        """Make the softmax and, where a shared weight `[V, width]` has another width, the projection before it."""
        made = self.decoder.output_size
        projects = weight is not None and made != width
        self.output_projection = nn.Linear(made, width, bias=False) if projects else nn.Identity()
        self.softmax = Softmax(made if weight is None else width, size, weight)

    @abstractmethod
    def encode(self, inputs: Tensor, mask: Bool[Tensor, "B S"]) -> Source:
        """The inputs of a batch to the decoder's source."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """As `models/parameters.py` counts them: a shared matrix is the embedding's."""

    @abstractmethod
    def engines(self) -> list[str]:
        """Those of the encoder's layers, then of the decoder's; `step` for a decoder that runs step by step."""

    def forward(
        self,
        inputs: Tensor,
        mask: Bool[Tensor, "B S"],
        targets: Int[Tensor, "B T"],
        target_mask: Bool[Tensor, "B T"],
        sampled: float = 0.0,
    ) -> DecoderOutput:
        """The hidden state for each target, from the targets before it.

        sampled: the probability that the decoder reads a symbol drawn from the model instead of the target (scheduled
                 sampling, Bengio et al. 2015).
        """
        return self.decoded(self.encode(inputs, mask), targets, target_mask, sampled)

    def decoded(
        self, source: Source, targets: Int[Tensor, "B T"], target_mask: Bool[Tensor, "B T"], sampled: float = 0.0
    ) -> DecoderOutput:
        """As `forward`, from the decoder's source."""
        shifted = torch.cat([torch.full_like(targets[:, :1], BOS), targets[:, :-1]], 1)
        if sampled > 0 and targets.shape[1] > 1:
            return self._sampling(source, shifted, sampled)
        decoded = self.decoder(self.dropout(self.target(shifted)), source, target_mask)
        return DecoderOutput(self._out(decoded.hidden), decoded.weights, shifted, decoded.chosen)

    def _sampling(self, source: Source, shifted: Tensor, sampled: float) -> DecoderOutput:
        state, steps, inputs, tokens = source.start, [], [], shifted[:, 0]
        for t in range(shifted.shape[1]):
            inputs.append(tokens)
            decoded = self.decoder(self.dropout(self.target(tokens[:, None])), source, None, state)
            state, hidden = decoded.state, self._out(decoded.hidden)
            steps.append((hidden, decoded.weights, decoded.chosen))
            if t + 1 < shifted.shape[1]:
                with torch.no_grad():
                    likely = self.softmax.log_probabilities(hidden[:, 0]).exp()
                    likely[:, list(UNWRITTEN)] = 0.0
                    drawn = torch.multinomial(likely, 1)[:, 0]
                    own = torch.rand(len(drawn), device=drawn.device) < sampled
                    tokens = torch.where(own, drawn, shifted[:, t + 1])
        outputs, weights, chosen = zip(*steps, strict=True)
        return DecoderOutput(torch.cat(outputs, 1), _joined(weights), torch.stack(inputs, 1), _joined(chosen))

    def _out(self, hidden: Tensor) -> Tensor:
        return self.output_projection(self.output_dropout(hidden))

    def step(
        self, tokens: Int[Tensor, "N"], source: Source, state: DecoderState
    ) -> tuple[Float[Tensor, "N V"], DecoderState, Tensor | None]:
        """Log-probabilities of the next symbols, the state after these, and the attention `[N, S]`."""
        decoded = self.decoder(self.dropout(self.target(tokens[:, None])), source, None, state)
        scores = self.softmax.log_probabilities(self._out(decoded.hidden)[:, 0])
        return scores, decoded.state, None if decoded.weights is None else decoded.weights[:, 0]


def _joined(steps: Sequence[Tensor | None]) -> Tensor | None:
    parts = [step for step in steps if step is not None]
    return torch.cat(parts, 1) if parts else None
