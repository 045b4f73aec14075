"""A model that writes sequences, as a model for searches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lightning_seq.models.decoder import DecoderState, Source
from lightning_seq.models.sequence_writer import SequenceWriter


@dataclass(frozen=True)
class Translator:
    """A batch of encoded inputs (a `search.StepwiseModel`); the model must be in evaluation mode."""

    model: SequenceWriter
    source: Source

    @classmethod
    @torch.no_grad()
    def of(cls, model: SequenceWriter, inputs: Tensor, mask: Bool[Tensor, "B S"]) -> Translator:
        return cls(model, model.encode(inputs, mask))

    def start(self) -> DecoderState:
        return self.source.start

    def step(
        self, tokens: Int[Tensor, "N"], state: DecoderState
    ) -> tuple[Float[Tensor, "N V"], DecoderState, Tensor | None]:
        return self.model.step(tokens, self.source, state)

    def select(self, rows: Int[Tensor, "N"]) -> Translator:
        return Translator(self.model, self.source.select(rows))
