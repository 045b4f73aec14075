"""A small residual network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.models.convolution import check_sizes
from lightning_seq.models.picture.cnn import normalised
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.value_types import Size


class ResidualBlock(nn.Module):
    """y = relu(x' + f(x)), f: two 3 x 3 convolutions; x' is x, or its projection where the shape changes (He et al.
    2016, eq. 1 and 2)."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([normalised(width), normalised(width)])
        same = before == width and stride == 1
        self.projection: nn.Module = nn.Identity() if same else nn.Conv2d(before, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(self.projection(x) + self.norms[1](self.second(y)))


class ResidualEncoder(PictureEncoder):
    """A residual network for small pictures (He et al. 2016, sec. 4.2), with group normalisation.

    widths: channels of each stage; every stage but the first halves height and width.
    blocks: of each stage.
    weights, frozen: see `PictureEncoder`.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[Size] = (32, 64, 128),
        blocks: Size = 2,
        weights: str | None = None,
        frozen: bool = False,
    ) -> None:
        check_sizes(**{f"picture.widths[{index}]": width for index, width in enumerate(widths)}, blocks=blocks)
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)]
        before = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                layers.append(ResidualBlock(before, width, 2 if stage and not block else 1))
                before = width
        super().__init__(channels, size, nn.Sequential(*layers), before, weights, frozen)
