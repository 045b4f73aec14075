"""Input layers: word vectors, or one-hot."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import UserError


class Embedding(nn.Module):
    """Ids `[B, T]` to their rows of `weight [V, E]`.

    weight:  the initial rows; None: drawn from N(0, scale²); torch's own scale is 1.
    frozen:  True, False, or a number of epochs n: the rows do not change until `set_epoch(n)`.
    padding: the id whose row is zero and stays zero, or None.
    dropout: the probability to drop a word of the vocabulary, wherever it occurs in a batch, in training (Gal &
             Ghahramani 2016; Merity et al. 2018); the other rows are scaled by 1/(1 - dropout).

    Rows that are frozen for n epochs have no gradient until then, so that an optimiser leaves them alone; they are
    parameters from the start, because data-parallel training needs it.

    Raises UserError where `weight` has another shape, and for another `frozen`.
    """

    def __init__(
        self,
        size: int,
        width: int,
        weight: Float[Tensor, "V E"] | None = None,
        frozen: bool | int = False,
        padding: int | None = 0,
        dropout: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if scale <= 0:
            raise UserError(f"embedding.scale is {scale}, expected more than 0")
        self.scale = float(scale)
        if not 0 <= dropout < 1:
            raise UserError(f"embedding.dropout is {dropout}, expected at least 0 and less than 1")
        for name, value in (("size", size), ("width", width)):
            if value < 1:
                raise UserError(f"the embedding's {name} is {value}, expected a whole number of at least 1")
        if not isinstance(frozen, int) or frozen < 0:
            raise UserError(f"embedding.frozen is {frozen!r}, expected true, false or a number of epochs")
        self.size, self.width, self.frozen, self.padding = size, width, frozen, padding
        self.weight = nn.Parameter(torch.empty(size, width), requires_grad=frozen is not True)
        self.still, self.dropout = bool(frozen), float(dropout)
        if weight is None:
            self.reset_parameters()
        else:
            self._start_from(weight)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.scale)
        self._clear_padding()

    @torch.no_grad()
    def _start_from(self, weight: Tensor) -> None:
        if weight.shape[1] != self.width:
            raise UserError(
                f"embeddings have width {weight.shape[1]}, the model expects {self.width}: train them again with "
                f"word2vec.vector_size={self.width}, or set embedding.size={weight.shape[1]}"
            )
        if weight.shape[0] != self.size:
            raise UserError(
                f"embeddings have {weight.shape[0]} rows, the vocabulary has {self.size} words: "
                "make the matrix for this vocabulary"
            )
        self.weight.copy_(weight)
        self._clear_padding()

    @torch.no_grad()
    def _clear_padding(self) -> None:
        if self.padding is not None:
            self.weight[self.padding].zero_()

    def set_epoch(self, epoch: int) -> None:
        """The epoch that begins, counted from 0: rows frozen for n epochs learn from epoch n on."""
        if type(self.frozen) is int:
            self.still = epoch < self.frozen

    def thaw(self) -> None:
        """Let the rows learn from now on."""
        self.frozen = self.still = False
        self.weight.requires_grad_(True)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T E"]:
        weight = self.weight.detach() if self.still else self.weight
        rows = functional.embedding(ids, weight, padding_idx=self.padding)
        if not self.training or not self.dropout:
            return rows
        words = functional.dropout(weight.new_ones(self.size), self.dropout)
        return rows * words[ids].unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"{self.size}, {self.width}, frozen={self.frozen}, dropout={self.dropout}"


class _FixedInputs(nn.Module):
    """Inputs of a width, without parameters."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def set_epoch(self, epoch: int) -> None:
        """Nothing to thaw."""

    def extra_repr(self) -> str:
        return f"{self.width}"


class OneHot(_FixedInputs):
    """One-hot vectors of width V: returns their ids; the next layer looks its product up by `lookup_product`."""

    is_lookup = True

    def __init__(self, size: int) -> None:
        if size < 1:
            raise UserError(f"one-hot inputs of {size} words: expected at least 1")
        super().__init__(size)

    def forward(self, ids: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        return ids


class Vectors(_FixedInputs):
    """Returns inputs that are vectors `[B, T, E]` already."""

    def forward(self, x: Float[Tensor, "B T E"]) -> Float[Tensor, "B T E"]:
        return x


def lookup_product(
    ids: Int[Tensor, "B T"], W: Float[Tensor, "G V"], padding: int | None = None
) -> Float[Tensor, "B T G"]:
    """`W` times the one-hot vector of each id: the columns of `W` that the ids name.

    padding: the id of the vector of zeros, or None.
    """
    product = functional.embedding(ids, W.t())
    return product if padding is None else product * (ids != padding).unsqueeze(-1)
