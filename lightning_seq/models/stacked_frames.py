"""Fewer and wider steps: neighbouring frames as one."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import at_least_one


def stacked(x: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"], factor: int) -> Float[Tensor, "B S W"]:
    """Each `factor` neighbouring frames as one of W = factor · D numbers, S = ⌈T / factor⌉; missing frames are zero."""
    if factor == 1:
        return x
    x = torch.where(mask[..., None], x, torch.zeros_like(x))
    x = functional.pad(x, (0, 0, 0, -x.shape[1] % factor))
    return x.reshape(len(x), x.shape[1] // factor, factor * x.shape[2])


def thinned(mask: Bool[Tensor, "B T"], factor: int) -> Bool[Tensor, "B S"]:
    """The mask of stacked frames: a step is real if one of its frames is."""
    return mask[:, ::factor]


class StackedFrames(nn.Module):
    """Inputs `[B, T, D]` as `[B, S, W]`, see `stacked`; without parameters. width: W."""

    def __init__(self, width: int, factor: int = 1) -> None:
        super().__init__()
        self.factor = at_least_one("task.subsample", factor)
        self.width = width * factor

    def set_epoch(self, epoch: int) -> None:
        """Nothing to thaw."""

    def forward(self, x: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"] | None = None) -> Float[Tensor, "B S W"]:
        return stacked(
            x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask, self.factor
        )

    def extra_repr(self) -> str:
        return f"{self.width}, factor={self.factor}"
