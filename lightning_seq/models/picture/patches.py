"""Patches of a picture."""

from __future__ import annotations

from torch import nn

from lightning_seq.models.convolution import check_sizes
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.value_types import Size


class PatchEncoder(PictureEncoder):
    """A linear map of each square patch (Dosovitskiy et al. 2021, eq. 1): no place knows another.

    patch: pixels of a side; rows and columns beyond the last whole patch are left out.
    width: D.
    weights, frozen: see `PictureEncoder`.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        patch: Size = 8,
        width: Size = 128,
        weights: str | None = None,
        frozen: bool = False,
    ) -> None:
        check_sizes(patch=patch, width=width)
        super().__init__(channels, size, nn.Conv2d(channels, width, patch, patch), width, weights, frozen)
