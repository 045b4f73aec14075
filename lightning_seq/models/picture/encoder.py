"""The contract of an encoder of pictures."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lightning_seq.cells.init import Initialisation
from lightning_seq.errors import UserError
from lightning_seq.models.picture.weights import load_weights

SEED_OF_FEATURES = 1
"""Of random layers whose features are made once: they are the same for every seed of a run."""


class PictureEncoder(nn.Module):
    """From pictures to a vector for each place of a grid.

        v_s = W f(x)_s + b + p_s,  s = row · columns + column

    x is the picture in -1 to 1; W and b exist only for frozen layers, or if `width` is given; p `[S, D]` are
    learned vectors of the places, see `Places`. Instead of pictures it also takes f(x), which `features` made before.

    channels, size: of the pictures: their number of colours, their height and width.
    layers:         f, from `[B, C, H, W]` to a map `[B, F, R, K]` of R rows and K columns.
    features_size:  F.
    weights:        a file with the first values of the layers, see `load_weights`; None: random ones. Batch
                    normalisation then keeps the file's means and variances.
    frozen:         the layers keep their values.
    width:          D; None: F.

    output_size is D, and grid is R and K. Raises UserError for pictures that are too small for the layers.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        layers: nn.Module,
        features_size: int,
        weights: str | None = None,
        frozen: bool = False,
        width: int | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.features_size, self.weights, self.frozen = layers, features_size, weights, False
        try:
            with torch.no_grad():
                rows, columns = layers.eval()(torch.zeros(1, channels, *size)).shape[2:]
        except (RuntimeError, AssertionError):  # torch refuses maps without a place
            rows = columns = 0
        if not rows * columns:
            raise unfit(size, type(self).__name__)
        layers.train()
        self.grid, self.output_size = (rows, columns), width or features_size
        self.projection: nn.Module = nn.Linear(features_size, width) if width else nn.Identity()
        self.places = Places(self.grid, self.output_size)
        if frozen:
            self.freeze()

    def freeze(self) -> None:
        """Keep the values of the layers, and read their features through a linear layer."""
        self.frozen = True
        self.layers.requires_grad_(False)
        if isinstance(self.projection, nn.Identity):
            self.projection = nn.Linear(self.features_size, self.output_size)
        self.train(self.training)

    def forward(self, inputs: UInt8[Tensor, "B C H W"] | Float[Tensor, "B S F"]) -> Float[Tensor, "B S D"]:
        """Raises UserError for features of another size."""
        vectors = self.places.vectors
        features = self.features(inputs) if inputs.dtype == torch.uint8 else inputs.to(vectors.dtype)
        if features.shape[1:] != (expected := (len(vectors), self.features_size)):
            raise UserError(f"the features of a picture are {[*features.shape[1:]]}, expected {[*expected]}")
        return self.projection(features) + vectors

    def features(self, pictures: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B S F"]:
        """f(x)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            values = pictures.to(self.places.vectors.dtype) / 127.5 - 1
            by_place = values.contiguous(memory_format=torch.channels_last)  # 1.2 to 1.5 times as fast on a CPU
            return self.layers(by_place).flatten(2).transpose(1, 2)

    def train(self, mode: bool = True) -> PictureEncoder:
        super().train(mode)
        if self.frozen:
            self.layers.eval()
        elif self.weights is not None:
            for module in self.layers.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    @property
    def resets_submodules(self) -> bool:
        return self.weights is not None

    def reset_parameters(self) -> None:
        """Of an encoder with weights of a file."""
        self.reset_layers()
        self.places.reset_parameters()
        if isinstance(self.projection, nn.Linear):
            self.projection.reset_parameters()

    def reset_layers(self) -> None:
        """Raises UserError for weights that do not fit."""
        load_weights(self.layers, str(self.weights))

    def reset_features(self) -> None:
        """Give the layers the first values that they have in every run, whatever its seed is."""
        if self.resets_submodules:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(SEED_OF_FEATURES)
                self.reset_layers()
        else:
            Initialisation()(self.layers, SEED_OF_FEATURES)

    def extra_repr(self) -> str:
        return f"grid={self.grid}, output_size={self.output_size}, frozen={self.frozen}"


def unfit(size: tuple[int, int], name: str) -> UserError:
    return UserError(
        f"data.size={list(size)} is too small for {name}, or does not suit it: expected larger pictures (a network may "
        "need 224), or fewer channels (layers) in model.picture"
    )


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
