"""The input layer: ids to vectors, or ids that stand for one-hot vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import UserError

PAD = 0


class Embedding(nn.Module):
    """A vector for each id, `[B, T]` to `[B, T, E]`; id 0, `<pad>`, is zero and stays so.

    frozen: True; False; or for how many epochs the vectors stand still before they learn too.
    """

    def __init__(self, size: int, width: int, frozen: bool | int = False) -> None:
        super().__init__()
        if width < 1:
            raise UserError(f"the embedding's width is {width}, expected at least 1")
        if not isinstance(frozen, bool) and (not isinstance(frozen, int) or frozen < 0):
            raise UserError(f"embedding.frozen is {frozen!r}, expected true, false or a number of epochs")
        self.size, self.width, self.frozen = size, width, frozen
        self.weight = nn.Parameter(torch.empty(size, width), requires_grad=frozen is not True)
        self.standing = frozen is True or (frozen is not False and frozen > 0)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """A normal of deviation 0.1; zero for `<pad>`."""
        with torch.no_grad():
            self.weight.normal_(0, 0.1)
            self.weight[PAD] = 0

    def set_epoch(self, epoch: int) -> None:
        """Whether the vectors stand still depends on the epoch, counted from 0."""
        self.standing = self.frozen is True or (self.frozen is not False and epoch < self.frozen)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T E"]:
        weight = self.weight.detach() if self.standing else self.weight
        return functional.embedding(ids, weight, padding_idx=PAD)

    def extra_repr(self) -> str:
        return f"{self.size}, {self.width}, frozen={self.frozen}"


class OneHot(nn.Module):
    """One-hot vectors, never made: the ids are handed on, and the product with W is a look-up of W's columns."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = self.width = size

    def set_epoch(self, epoch: int) -> None:
        """Nothing here learns."""

    def forward(self, ids: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        return ids
