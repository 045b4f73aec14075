"""Clips whose class is in the order of their frames alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import numpy as np

from lightning_seq.data.clips import Clip, DrawnClip
from lightning_seq.data.sources.clip_table import ClipTable
from lightning_seq.data.sources.scenes import SHAPES, ink
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.vector_table import Target
from lightning_seq.errors import UserError
from lightning_seq.value_types import Range

CLASSES = ("left to right", "right to left", "out and back", "back and out")
SIDE = 5
"""Pixels of the thing that moves."""


@dataclass(frozen=True)
class FrameOrder(Synthetic):
    """A shape at `length` places from left to right, in four orders, which are the classes.

    `left to right` and `right to left`; `out and back` shows every other place to the right, then the others to the
    left; `back and out` is its reverse. The four clips of a group have the same frames, so whatever does not depend on
    the order of the frames is right for exactly one of the four: accuracy 0.25.

    examples: a multiple of 40: groups of four in each split.
    length:   frames of a clip.
    canvas:   pixels of a side.
    """

    examples: Annotated[int, Range(40, 1_000_000)] = field(default=1600, kw_only=True)
    length: Annotated[int, Range(4, 64)] = 8
    canvas: Annotated[int, Range(12, 256)] = 16

    name = "frame_order"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.examples % 40:
            raise UserError(f"data.examples is {self.examples}, expected a multiple of 40: groups of four clips")
        if self.canvas < SIDE + self.length - 1:
            raise UserError(
                f"data.canvas is {self.canvas}, and a shape of {SIDE} pixels has data.length={self.length} places: "
                f"expected at least {SIDE + self.length - 1}"
            )

    def load(self) -> Loaded[ClipTable]:
        tables, first = {}, 0
        for stream, (split, size) in enumerate(self.sizes.items()):
            generator = self.generator(stream)
            clips, targets, groups = list[Clip](), list[Target](), list[int | str]()
            for group in range(size // len(CLASSES)):
                kind, drawn = SHAPES[generator.integers(len(SHAPES))], self._places(generator)
                for label, order in zip(CLASSES, orders(self.length), strict=True):
                    draw = partial(_drawn, kind, drawn[order], self.canvas)
                    clips.append(DrawnClip(f"clip {len(clips)} of {split}", draw))
                    targets.append(label)
                    groups.append(first + group)
            first += size // len(CLASSES)
            tables[split] = ClipTable(clips, targets, list(range(size)), groups=groups)
        return Loaded(tables, CLASSES)

    def _places(self, generator: np.random.Generator) -> np.ndarray:
        """`[length, 2]`, top and left, on a line from left to right with some shaking up and down."""
        room = self.canvas - SIDE
        left = np.sort(generator.permutation(room + 1)[: self.length])
        first, last = generator.uniform(0, room, 2).tolist()
        top = np.linspace(first, last, self.length) + generator.uniform(-1, 1, self.length)
        return np.stack([np.rint(top).clip(0, room).astype(int), left], 1)


def orders(length: int) -> tuple[np.ndarray, ...]:
    """The order of the places of each class."""
    rising = np.arange(length)
    out_and_back = np.concatenate([rising[::2], rising[1::2][::-1]])
    return rising, rising[::-1], out_and_back, out_and_back[::-1]


def _drawn(kind: str, places: np.ndarray, canvas: int) -> np.ndarray:
    frames = np.zeros((len(places), canvas, canvas))
    for frame, (top, left) in zip(frames, places.tolist(), strict=True):
        frame[top : top + SIDE, left : left + SIDE] = ink(kind, -1, SIDE)
    return np.repeat(np.rint(frames * 255).astype(np.uint8)[..., None], 3, -1)
