"""Small pictures in a record, and the attention to the places of a picture."""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Iterable

import numpy as np

from lightning_seq.files import Plain
from lightning_seq.records.attention import LEVELS, levels

MOST_SIDE = 16
"""Rows and columns of the places of an attention map in a file."""
LONGEST_TEXT, LARGEST_SIDE = 300, 96
_BASE64 = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/]{20,79989}={0,2}")
"""A PNG file of at most 60,000 bytes: the text begins with PNG's signature."""

Grid = tuple[int, int]
"""Rows and columns of the places."""


def longest_side(width: int, height: int) -> int:
    """Of a picture in a file, in pixels: that of a strip of frames may be longer, with at most twice as many pixels."""
    if width <= 4 * height:
        return LARGEST_SIDE
    return min(4 * LARGEST_SIDE, math.isqrt(2 * LARGEST_SIDE**2 * width // height))


def checked_png(text: str, largest: tuple[int, int] = (4 * LARGEST_SIDE, LARGEST_SIDE)) -> str:
    """largest: width and height in pixels. Raises ValueError for anything but a small PNG file in base64."""
    if not _BASE64.fullmatch(text) or any(
        not 1 <= side <= most for side, most in zip(picture_size(text), largest, strict=True)
    ):
        raise ValueError("expected a small PNG file in base64")
    return text


def picture_size(png: str) -> tuple[int, int]:
    """Width and height in pixels, of a PNG file in base64."""
    width, height = struct.unpack(">II", base64.b64decode(png[:32])[16:24])
    return width, height


def checked_grid(plain: Plain) -> Grid | None:
    """None for a record without attention. Raises ValueError for a grid out of range."""
    grid = (int(plain[0]), int(plain[1])) if plain else None
    if grid and not all(1 <= side <= MOST_SIDE for side in grid):
        raise ValueError(f"expected a grid of at most {MOST_SIDE} rows and columns, {grid} came")
    return grid


def check_weights(rows: Iterable[str], grid: Grid | None) -> None:
    """Raises ValueError for a row of weights without a level for each place of the grid."""
    places = grid[0] * grid[1] if grid else 0
    for row in rows:
        if len(row) != places or set(row) - set(LEVELS):
            raise ValueError(f"expected {places} weights in characters of the levels")


def smaller(grid: Grid) -> Grid:
    """The rows and columns of the places that a record holds."""
    return min(grid[0], MOST_SIDE), min(grid[1], MOST_SIDE)


def pooled(weights: np.ndarray, grid: Grid) -> np.ndarray:
    """Weights `[T, S]` of a grid as those of the smaller grid: the weights of neighbours are added."""
    rows, columns = (
        np.eye(most)[np.arange(count) * most // count] for count, most in zip(grid, smaller(grid), strict=True)
    )
    joined = np.einsum("trc,ra,cb->tab", weights.reshape(-1, *grid), rows, columns)
    return joined.reshape(len(weights), smaller(grid)[0] * smaller(grid)[1])


def map_rows(weights: np.ndarray, grid: Grid) -> tuple[str, ...]:
    """For each of T weights `[T, S]` a string of `LEVELS`, one for each place of the smaller grid, row by row."""
    return tuple(map(levels, pooled(weights, grid).tolist()))
