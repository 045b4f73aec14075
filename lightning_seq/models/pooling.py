"""From a place per input to one vector per sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_seq.attention.masked_softmax import masked_softmax
from lightning_seq.errors import UserError, near
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded


class Last(nn.Module):
    """The output of each row's last step in the top layer, its directions side by side: `[B, final_size]`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        if encoder.final_size is None:
            raise UserError(
                f"{type(encoder).__name__} has no final state: use task.pooling=mean, max or attention instead of last"
            )
        self.width = encoder.final_size

    def forward(self, encoded: Encoded) -> Tensor:
        if encoded.last is None:
            raise ValueError("pooling=last reads Encoded.last, which this encoder did not give")
        return encoded.last


class Mean(nn.Module):
    """The mean over the real tokens: `[B, D]`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.width = encoder.output_size

    def forward(self, encoded: Encoded) -> Tensor:
        return encoded.outputs.sum(1) / encoded.mask.sum(1, keepdim=True).clamp(min=1)


class Max(nn.Module):
    """The maximum over the real tokens: `[B, D]`; zero for a row of none."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.width = encoder.output_size

    def forward(self, encoded: Encoded) -> Tensor:
        shut = torch.full_like(encoded.outputs, torch.finfo(encoded.outputs.dtype).min)
        highest = torch.where(encoded.mask[..., None], encoded.outputs, shut).amax(1)
        return torch.where(encoded.mask.any(1, keepdim=True), highest, torch.zeros_like(highest))


class Attention(nn.Module):
    """A weighted mean, the weights from a small network (Yang et al. 2016, eqs. 5-7).

    u_t = tanh(W h_t + b),  α = softmax(u_t · v),  s = Σ α_t h_t
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.width = encoder.output_size
        self.hidden = nn.Linear(self.width, self.width)
        self.score = nn.Linear(self.width, 1, bias=False)

    def forward(self, encoded: Encoded) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(encoded.outputs))).squeeze(-1)
        weights = masked_softmax(scores, encoded.mask)
        return torch.einsum("bs,bsd->bd", weights, encoded.outputs)


POOLINGS: dict[str, type[Last | Mean | Max | Attention]] = {
    "last": Last,
    "mean": Mean,
    "max": Max,
    "attention": Attention,
}


def pooling(name: str, encoder: Encoder) -> Last | Mean | Max | Attention:
    """The pooling of that name for that encoder.

    `auto` takes the encoder's own, for a recurrent one the maximum. The last state is what a lecture draws, but it asks
    a simple recurrent network to carry a whole sentence to its end, and few epochs do not teach it that.
    """
    if name == "auto":
        name = encoder.pooling
    if name not in POOLINGS:
        raise UserError(f"task.pooling is {name!r}: {near(name, [*POOLINGS, 'auto'])}")
    return POOLINGS[name](encoder)
