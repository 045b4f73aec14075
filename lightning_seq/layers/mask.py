"""Masks, which are True for a prefix of every row."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from lightning_seq.tensors import check_tensor


def lengths_of(x: Shaped[Tensor, "B T *input"], mask: Bool[Tensor, "B T"] | None) -> Int[Tensor, "B"] | None:
    """The number of tokens of each row; None if every row is full.

    Raises ValueError for T = 0, for a mask of another shape or device and for one that is not a prefix; TypeError for
    one of another type.
    """
    if x.dim() < 2 or x.shape[1] == 0:
        raise ValueError(f"inputs have shape {tuple(x.shape)}, expected [B, T, …] with T of at least 1")
    if mask is None:
        return None
    check_tensor("a batch", "mask", mask, x.shape[:2], x, torch.bool)
    if torch.compiler.is_exporting() or mask.is_meta:  # the mask has no values: assume ragged rows
        return mask.sum(1)
    if not bool((mask[:, 1:] <= mask[:, :-1]).all()):
        raise ValueError("mask must be a prefix of every row (True up to the length, False after): pad at the end")
    return None if bool(mask.all()) else mask.sum(1)


def zero_beyond(x: Shaped[Tensor, "B T *input"], lengths: Int[Tensor, "B"] | None) -> Shaped[Tensor, "B T *input"]:
    """The inputs with zeros in place of the padding, NaN included."""
    if lengths is None:
        return x
    alive = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
    return torch.where(alive.reshape(*alive.shape, *(1,) * (x.dim() - 2)), x, torch.zeros_like(x))


def reverse(x: Shaped[Tensor, "B T *input"], lengths: Int[Tensor, "B"] | None) -> Shaped[Tensor, "B T *input"]:
    """Each row's tokens in reverse order; its padding stays at the end."""
    if lengths is None:
        return x.flip(1)
    t = torch.arange(x.shape[1], device=x.device)
    index = torch.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)
    if x.dim() == 2:
        return x.gather(1, index)
    return x.gather(1, index.reshape(*index.shape, *(1,) * (x.dim() - 2)).expand_as(x))
