"""The contract of an encoder of pictures."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lightning_seq.errors import UserError


class PictureEncoder(nn.Module):
    """From pictures to a vector for each place of a grid.

        v_s = f(x)_s + p_s,  s = row · columns + column

    x is the picture in -1 to 1; p `[S, D]` are learned vectors of the places, see `Places`.

    channels, size: of the pictures: their number of colours, their height and width.
    layers:         f, from `[B, C, H, W]` to a map `[B, D, R, K]` of R rows and K columns.
    output_size:    D.
    grid:           R and K.

    Raises UserError for pictures that are too small for the layers.
    """

    def __init__(self, channels: int, size: tuple[int, int], layers: nn.Module, output_size: int) -> None:
        super().__init__()
        self.layers, self.output_size = layers, output_size
        try:
            with torch.no_grad():
                rows, columns = layers(torch.zeros(1, channels, *size)).shape[2:]
        except RuntimeError:  # torch refuses maps without a place
            rows = columns = 0
        if not rows * columns:
            raise UserError(
                f"data.size={list(size)} is too small for {type(self).__name__}: expected larger pictures, or "
                "fewer channels (layers) in model.picture"
            )
        self.grid = rows, columns
        self.places = Places(self.grid, output_size)

    def forward(self, pictures: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B S D"]:
        dtype = self.places.vectors.dtype
        maps = self.layers(pictures.to(dtype) / 127.5 - 1)
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
