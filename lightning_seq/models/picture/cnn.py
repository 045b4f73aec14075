"""A small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lightning_seq.models.convolution import check_sizes
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.value_types import Size

GROUP = 16
"""Channels that are normalised together, at least."""


def normalised(channels: int) -> nn.GroupNorm:
    """Wu & He 2018. It does not mix examples: the output for a picture does not depend on its batch."""
    groups = max(1, channels // GROUP)
    return nn.GroupNorm(groups if channels % groups == 0 else 1, channels)


class ConvolutionalEncoder(PictureEncoder):
    """Blocks of a 3 x 3 convolution, normalisation, ReLU and 2 x 2 max pooling (LeCun et al. 1998; VGG's blocks,
    Simonyan & Zisserman 2015); the last block does not pool.

    widths: channels of each block; with n blocks a place stands for 2^(n-1) x 2^(n-1) pixels.
    weights, frozen: see `PictureEncoder`.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[Size] = (32, 64, 128, 128),
        weights: str | None = None,
        frozen: bool = False,
    ) -> None:
        check_sizes(**{f"picture.widths[{index}]": width for index, width in enumerate(widths)})
        layers: list[nn.Module] = []
        before = channels
        for index, width in enumerate(widths):
            if index:
                layers += [nn.MaxPool2d(2), nn.ReLU(inplace=True)]  # equals ReLU before pooling, for fewer values
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), normalised(width)]
            before = width
        layers.append(nn.ReLU(inplace=True))
        super().__init__(channels, size, nn.Sequential(*layers), before, weights, frozen)
