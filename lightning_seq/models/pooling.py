"""One vector per sequence, from the outputs of all its steps."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from lightning_seq.attention.masked_softmax import masked_softmax
from lightning_seq.errors import UserError, one_of
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded


class Pooling(nn.Module, ABC):
    """width: of the vectors."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.width = encoder.output_size

    @abstractmethod
    def forward(self, encoded: Encoded) -> Tensor: ...


class Last(Pooling):
    """The output of each row's last step in the top layer, its directions concatenated: `[B, final_size]`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        if encoder.final_size is None:
            raise UserError(
                f"{type(encoder).__name__} has no final state: use task.pooling=mean, max or attention instead of last"
            )
        self.width = encoder.final_size

    def forward(self, encoded: Encoded) -> Tensor:
        if encoded.last is None:
            raise ValueError("pooling=last reads Encoded.last, which this encoder did not give")
        return encoded.last


class Mean(Pooling):
    """The mean over the real tokens: `[B, D]`."""

    def forward(self, encoded: Encoded) -> Tensor:
        return encoded.outputs.sum(1) / encoded.mask.sum(1, keepdim=True).clamp(min=1)


class Max(Pooling):
    """The maximum over the real tokens: `[B, D]`; zero for an empty row."""

    def forward(self, encoded: Encoded) -> Tensor:
        lowest = torch.full_like(encoded.outputs, torch.finfo(encoded.outputs.dtype).min)
        highest = torch.where(encoded.mask[..., None], encoded.outputs, lowest).amax(1)
        return torch.where(encoded.mask.any(1, keepdim=True), highest, torch.zeros_like(highest))


class Attention(Pooling):
    """A mean whose weights come from a small network (Yang et al. 2016, eqs. 5-7).

    u_t = tanh(W h_t + b),  α = softmax(u_t · v),  s = Σ α_t h_t
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.hidden = nn.Linear(self.width, self.width)
        self.score = nn.Linear(self.width, 1, bias=False)

    def forward(self, encoded: Encoded) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(encoded.outputs))).squeeze(-1)
        weights = masked_softmax(scores, encoded.mask)
        return torch.einsum("bs,bsd->bd", weights, encoded.outputs)


POOLINGS: dict[str, type[Pooling]] = {"last": Last, "mean": Mean, "max": Max, "attention": Attention}


def pooling(name: str, encoder: Encoder) -> Pooling:
    """The pooling of that name.

    `auto` is the encoder's default, the maximum for a recurrent one: textbooks draw the last state, but a simple
    recurrent network does not learn in few epochs to carry a sentence to its end.
    """
    one_of("task.pooling", name, [*POOLINGS, "auto"])
    return POOLINGS[encoder.pooling if name == "auto" else name](encoder)
