"""Handwritten digits that move in a frame and bounce off its sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import numpy as np

from lightning_seq.data.clips import Clip, DrawnClip
from lightning_seq.data.sources.clip_table import ClipTable
from lightning_seq.data.sources.scenes import DRAWINGS, handwritten, ink
from lightning_seq.data.sources.synthetic import Examples, Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.value_types import Range

SIDE = 10
"""Pixels of a digit."""


@dataclass(frozen=True)
class MovingDigits(Synthetic):
    """Digits in straight lines, each with its own speed of at most `speed` pixels a frame; where two overlap, the
    lighter pixel is seen (Srivastava et al. 2015, with the smaller digits of scikit-learn).

    Each split has digits of its own, as `Scenes` has.

    digits: of a clip. length: frames of a clip. canvas: pixels of a side.
    """

    examples: Examples = field(default=1000, kw_only=True)
    digits: Annotated[int, Range(1, 4)] = 1
    length: Annotated[int, Range(2, 200)] = 12
    canvas: Annotated[int, Range(16, 256)] = 20
    speed: Annotated[float, Range(0.5, 8)] = 2.0

    name = "moving_digits"

    def load(self) -> Loaded[ClipTable]:
        tables, total = {}, len(handwritten()[1])
        for stream, (split, size) in enumerate(self.sizes.items()):
            generator, (first, last) = self.generator(stream), (round(share * total) for share in DRAWINGS[split])
            clips: list[Clip] = []
            for number in range(size):
                drawings = generator.integers(first, last, self.digits)
                paths = np.stack([self.path(generator) for _ in drawings])
                draw = partial(_drawn, drawings.tolist(), paths, self.canvas)
                clips.append(DrawnClip(f"clip {number} of {split}", draw))
            tables[split] = ClipTable(clips, [""] * size, list(range(size)))
        return Loaded(tables)

    def path(self, generator: np.random.Generator) -> np.ndarray:
        """`[length, 2]`, top and left in whole pixels."""
        room = self.canvas - SIDE
        start, angle = generator.uniform(0, room, 2), generator.uniform(0, 2 * np.pi)
        speed = self.speed * generator.uniform(0.5, 1) * np.array([np.sin(angle), np.cos(angle)])
        free = start + np.arange(self.length)[:, None] * speed
        return np.rint(np.abs((free + room) % (2 * room) - room)).astype(int)  # folded back at 0 and at `room`


def _drawn(drawings: list[int], paths: np.ndarray, canvas: int) -> np.ndarray:
    frames = np.zeros((paths.shape[1], canvas, canvas))
    for drawing, path in zip(drawings, paths.tolist(), strict=True):
        for frame, (top, left) in zip(frames, path, strict=True):
            part = frame[top : top + SIDE, left : left + SIDE]
            np.maximum(part, ink("digit", drawing, SIDE), out=part)
    return np.repeat(np.rint(frames * 255).clip(0, 255).astype(np.uint8)[..., None], 3, -1)
