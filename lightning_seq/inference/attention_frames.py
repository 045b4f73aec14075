"""Attention over pictures, drawn as frames: the picture, and for each word (each look) the picture with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from PIL import Image, ImageFont

SIDE, IN_A_ROW, GAP, LINE = 168, 8, 8, 22
"""Pixels of a frame's longer side; frames of a row; pixels between frames, and of a line of text."""
HEAT, STRONGEST = (224, 0, 122), 0.8
"""The colour of attention, and its opacity where the weight is 1; it grows with the square root of the weight."""


class Looks(Protocol):
    """words: the text below each frame; weights: of the places, for each of them; None without attention."""

    @property
    def words(self) -> list[str]: ...

    @property
    def weights(self) -> list[list[float]] | None: ...


def drawn(captioned: Sequence[tuple[np.ndarray, Looks]], grid: tuple[int, int]) -> Image.Image:
    """Pictures `[channels, height, width]` with their looks, one below the other."""
    from PIL import Image

    parts = [_frames(values, caption, grid) for values, caption in captioned]
    width = max(part.width for part in parts)
    whole = Image.new("RGB", (width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def _frames(values: np.ndarray, looks: Looks, grid: tuple[int, int]) -> Image.Image:
    """The picture alone, then a frame for each word, in rows of `IN_A_ROW`."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(np.ascontiguousarray(np.broadcast_to(values, (3, *values.shape[1:])).transpose(1, 2, 0)))
    ratio = SIDE / max(picture.size)
    size = max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio))
    picture = picture.resize(size, Image.Resampling.NEAREST if ratio >= 2 else Image.Resampling.LANCZOS)
    frames = [(picture, "")]
    for word, weights in zip(looks.words, looks.weights or [], strict=False):
        heat = np.sqrt(np.array(weights, dtype=np.float32).clip(0, 1)).reshape(grid)
        smooth = Image.fromarray(heat).resize(size, Image.Resampling.BICUBIC)
        opacity = np.rint(np.asarray(smooth).clip(0, 1) * STRONGEST * 255).astype(np.uint8)
        frames.append((Image.composite(Image.new("RGB", size, HEAT), picture, Image.fromarray(opacity)), word))
    columns, rows = min(len(frames), IN_A_ROW), -(-len(frames) // IN_A_ROW)
    width, height = size[0] + GAP, size[1] + LINE + GAP
    canvas = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for number, (frame, word) in enumerate(frames):
        left, top = GAP + number % IN_A_ROW * width, GAP + number // IN_A_ROW * height
        canvas.paste(frame, (left, top))
        pen.text((left, top + size[1] + 2), _short(word, size[0], font), fill="black", font=font)
    return canvas


def _short(word: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a word as fits."""
    if font.getlength(word) <= width:
        return word
    while word and font.getlength(word + "…") > width:
        word = word[:-1]
    return word + "…"
