"""The contract of an encoder of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lightning_seq.errors import UserError


class PictureEncoder(nn.Module, ABC):
    """From pictures to a vector for each place of a grid.

        v_s = f(x)_s + p_s,  s = row · columns + column

    x is the picture in -1 to 1; p `[S, D]` are learned vectors of the places, see `Places`.

    channels, size: of the pictures: their number of colours, their height and width.
    grid:           rows and columns of places.
    output_size:    D.

    A subclass sets `output_size`, then calls `set_grid`, and gives f in `maps`.
    """

    output_size: int

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.channels, self.size, self.grid = channels, size, (0, 0)

    def set_grid(self) -> None:
        """Find the grid from the shape of `maps`. Raises UserError for pictures that are too small."""
        with torch.no_grad():
            try:
                maps = self.maps(torch.zeros(1, self.channels, *self.size))
            except RuntimeError:
                maps = torch.zeros(1, 1, 0, 0)
        rows, columns = maps.shape[2:]
        if not rows * columns:
            raise UserError(
                f"data.size={list(self.size)} is too small for {type(self).__name__}: expected larger pictures, or "
                "fewer channels (layers) in model.picture"
            )
        self.grid = rows, columns
        self.places = Places(self.grid, self.output_size)

    @abstractmethod
    def maps(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D R K"]:
        """f of pictures in -1 to 1, for each place of R rows and K columns."""

    def forward(self, pictures: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B S D"]:
        dtype = self.places.vectors.dtype
        maps = self.maps(pictures.to(dtype) / 127.5 - 1)
        return maps.flatten(2).transpose(1, 2) + self.places.vectors

    def extra_repr(self) -> str:
        return f"grid={self.grid}, output_size={self.output_size}"


class Places(nn.Module):
    """A learned vector for each place, `[S, D]` (Dosovitskiy et al. 2021, eq. 1).

    They start as sines and cosines (Vaswani et al. 2017, sec. 3.5): the first half of D those of the row, the second
    half those of the column.
    """

    def __init__(self, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.grid, self.width = grid, width
        self.vectors = nn.Parameter(torch.empty(grid[0] * grid[1], width))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        rows, columns = (_waves(count, width) for count, width in zip(self.grid, self._halves(), strict=True))
        places = torch.cat([rows[:, None].expand(*self.grid, -1), columns.expand(*self.grid, -1)], -1)
        self.vectors.copy_(places.flatten(0, 1))

    def _halves(self) -> tuple[int, int]:
        return self.width // 2, self.width - self.width // 2


def _waves(count: int, width: int) -> Float[Tensor, "N D"]:
    """Sines and cosines of positions, with wavelengths from 2π to 2π · 100."""
    angles = torch.arange(count)[:, None] / 100 ** (torch.arange(width) // 2 * 2 / max(width, 1))
    return torch.where(torch.arange(width) % 2 == 0, angles.sin(), angles.cos())
