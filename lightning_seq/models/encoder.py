"""The contract of an encoder, and of a model with one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from lightning_seq.embeddings.layer import Vectors
from lightning_seq.models.frames import FrameVectors
from lightning_seq.spec import Encoded, State


class Encoder(nn.Module, ABC):
    """From `[B, T, D]` and its mask to an output for each position.

    output_size: width of `Encoded.outputs`.
    final_size:  width of `Encoded.last`; None for an encoder without a last step.
    pooling:     the pooling of `task.pooling=auto`.
    causal:      whether an output depends only on inputs at its position and before.
    stateful:    whether the state of one chunk of a sequence is an input of the next.
    """

    output_size: int
    final_size: int | None = None
    pooling: str = "max"
    causal: bool = False
    stateful: bool = False

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`x` `[B, T, D]` (or token ids `[B, T]` for one-hot inputs), mask `[B, T]`.

        state: `Encoded.state` of the chunk before; an encoder without a state ignores it.
        """

    def engines(self, x: Tensor) -> list[str]:
        """The engine of each recurrent layer for inputs like `x`, from the input up."""
        return []


class EncoderModel(nn.Module):
    """An embedding, an encoder, and the modules named in `head_modules`."""

    embedding: nn.Module
    encoder: Encoder
    head_modules: tuple[str, ...] = ("head",)

    def parts(self) -> dict[str, nn.Module]:
        """As `models/parameters.py` counts them: a shared matrix is the embedding's."""
        head = nn.ModuleList(getattr(self, name) for name in self.head_modules)
        return {"embedding": self.embedding, "recurrent": self.encoder, "head": head}

    def engines(self) -> list[str]:
        x = torch.zeros(1, 1, dtype=torch.int64)
        if isinstance(self.embedding, FrameVectors):
            return self.encoder.engines(torch.zeros(1, 1, self.embedding.width))
        if isinstance(self.embedding, Vectors):
            x = torch.zeros(1, 1, self.embedding.width)
        return self.encoder.engines(self.embedding(x))
