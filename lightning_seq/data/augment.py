"""Random changes of pictures in training."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

from lightning_seq.data.pictures import Size2
from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.value_types import Fraction, Range

SIDES = re.compile(r"\b(left|right|link(?:s|e[nrs]?)|recht(?:s|e[nrs]?)|gauche|droite)\b", re.IGNORECASE)
MOST_WITH_SIDES = 0.01
"""The share of texts that may name a side where pictures are mirrored."""


@dataclass(frozen=True)
class Augment:
    """Random changes of training pictures: x' = (x - m) c + m + b, shifted, mirrored, turned and zoomed; m is the
    picture's mean.

    shift:      pixels up or down and to a side, at most; the border is repeated.
    flip:       whether half of the pictures are mirrored.
    rotate:     degrees to either side around the middle, at most.
    zoom:       the picture's sides are multiplied by a number that is uniform in 1 ± zoom.
    brightness: b is uniform in ±brightness · 255; contrast: c is uniform in 1 ± contrast.

    The seed, the epoch and the number of an example alone decide its change.
    """

    shift: Annotated[int, Range(0, 4096)] = 0
    flip: bool = False
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    rotate: Annotated[float, Range(0, 180)] = 0.0
    zoom: Annotated[float, Range(0, 0.9)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self, "data.augment")

    def check(self, size: Size2, texts: Iterable[str] = ()) -> None:
        """Raises UserError for a shift beyond the picture, and for mirrored pictures whose texts name sides."""
        if self.shift >= min(size):
            raise UserError(
                f"data.augment.shift is {self.shift}, and pictures have {size[0]} x {size[1]} pixels: expected less"
            )
        named = [bool(SIDES.search(text)) for text in texts] if self.flip else []
        if sum(named) > MOST_WITH_SIDES * len(named):
            raise UserError(
                f"data.augment.flip=true mirrors pictures, and {sum(named) / len(named):.0%} of the training texts "
                "name a side, such as left: leave it out"
            )

    def __call__(self, pictures: np.ndarray, seed: int, epoch: int, examples: np.ndarray) -> np.ndarray:
        """pictures: `[B, channels, height, width]` uint8; examples: `[B]`, their numbers."""
        changed = np.empty_like(pictures)
        H, W = pictures.shape[2:]
        for row, (picture, example) in enumerate(zip(pictures, examples.tolist(), strict=True)):
            stream = np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=[0, 0, 0, example])
            up, aside, mirror, light, sharp, turn, size = np.random.Generator(stream).random(7)
            lines = (np.arange(H) + self._pixels(up)).clip(0, H - 1)
            columns = (np.arange(W) + self._pixels(aside)).clip(0, W - 1)
            if self.flip and mirror < 0.5:
                columns = columns[::-1]
            moved = picture[:, lines[:, None], columns]
            if self.rotate or self.zoom:
                moved = turned(moved, self.rotate * (2 * turn - 1), 1 + self.zoom * (2 * size - 1))
            if self.brightness or self.contrast:
                mean, scale = moved.mean(dtype=np.float32), 1 + self.contrast * (2 * sharp - 1)
                values = (moved - mean) * np.float32(scale) + mean + np.float32(255 * self.brightness * (2 * light - 1))
                moved = np.rint(values.clip(0, 255)).astype(np.uint8)
            changed[row] = moved
        return changed

    def _pixels(self, drawn: float) -> int:
        return int(drawn * (2 * self.shift + 1)) - self.shift

    def __bool__(self) -> bool:
        return self != Augment()


def turned(picture: np.ndarray, degrees: float, zoom: float) -> np.ndarray:
    """A picture `[channels, height, width]` uint8, turned to the left around its middle and zoomed, its border
    repeated."""
    channels, height, width = picture.shape
    cosine, sine = np.cos(np.deg2rad(degrees)) / zoom, np.sin(np.deg2rad(degrees)) / zoom
    change = [[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]]
    grid = affine_grid(torch.tensor([change], dtype=torch.float32), [1, channels, height, width], align_corners=False)
    values = torch.from_numpy(picture.astype(np.float32))[None]
    made = grid_sample(values, grid, padding_mode="border", align_corners=False)
    return made[0].round().to(torch.uint8).numpy()
