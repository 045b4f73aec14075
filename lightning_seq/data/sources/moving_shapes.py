"""Clips of a coloured thing that does one thing after the other, with the time of each event."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, NamedTuple

import numpy as np

from lightning_seq.data.clips import Clip, ClipPicture, DrawnClip
from lightning_seq.data.sources.captions import CaptionTable, Region
from lightning_seq.data.sources.clip_table import ClipTable
from lightning_seq.data.sources.scenes import COLOURS, SHAPES, ink
from lightning_seq.data.sources.synthetic import Examples, Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.vector_table import Target
from lightning_seq.errors import UserError
from lightning_seq.value_types import Range

MOVES = {"moves left": (0, -2), "moves right": (0, 2), "moves up": (-2, 0), "moves down": (2, 0)}
GROWTH = {"grows": 1, "shrinks": -1}
EVENTS = (*MOVES, *GROWTH, "stays")
SMALLEST, LARGEST = 4, 12
"""Pixels of a thing's side."""
SHORTEST = 3
"""Frames of an event."""
TRIES = 200
"""Places that are drawn for the same events."""


class Event(NamedTuple):
    """start, stop: the first frame that differs by it from the frame before, and the frame after the last one."""

    name: str
    start: int
    stop: int


class Acted(NamedTuple):
    """places: `[T, 3]`, top, left and side of the thing."""

    kind: str
    colour: str
    events: tuple[Event, ...]
    places: np.ndarray


@dataclass(frozen=True)
class MovingShapes(Synthetic):
    """A coloured shape that does `fewest` to `most` different things one after the other, each for several frames.

    The events are those of `EVENTS`. What a frame shows tells nothing of its event: that is its difference to the frame
    before; the first frame has none.

    length: frames of a clip. canvas: pixels of a side.
    """

    examples: Examples = field(default=2000, kw_only=True)
    fewest: Annotated[int, Range(1, 4)] = 2
    most: Annotated[int, Range(1, 4)] = 3
    length: Annotated[int, Range(4, 200)] = 16
    canvas: Annotated[int, Range(20, 256)] = 24

    name = "moving_shapes"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most < self.fewest:
            raise UserError(f"data.most is {self.most}, expected at least data.fewest={self.fewest}")
        if self.length < SHORTEST * self.most + 1:
            raise UserError(
                f"data.length is {self.length}, expected at least {SHORTEST * self.most + 1}: {SHORTEST} frames for "
                f"each of data.most={self.most} events, and the first one"
            )

    def acted(self, split: str) -> list[Acted]:
        generator = self.generator([*self.sizes].index(split))
        return [self._acted(generator) for _ in range(self.sizes[split])]

    def clips(self, split: str, acted: list[Acted]) -> list[Clip]:
        return [
            DrawnClip(f"clip {number} of {split}", partial(_drawn, one, self.canvas))
            for number, one in enumerate(acted)
        ]

    def _acted(self, generator: np.random.Generator) -> Acted:
        """Events are drawn first and then a place from which the thing stays inside; rarely there is none."""
        kind, colour = SHAPES[generator.integers(len(SHAPES))], [*COLOURS][generator.integers(len(COLOURS))]
        while True:
            events = self._events(generator)
            changes = np.concatenate([
                np.tile([*MOVES.get(event.name, (0, 0)), GROWTH.get(event.name, 0)], (event.stop - event.start, 1))
                for event in events
            ])  # fmt: skip
            path = np.concatenate([np.zeros((1, 3), int), np.cumsum(changes, 0)])
            for _ in range(TRIES):
                side = generator.integers(SMALLEST, LARGEST + 1)
                places = path + np.array([*generator.integers(0, self.canvas - side + 1, 2), side])
                top, left, sides = places.T
                inside = (places[:, :2] >= 0).all() and max((top + sides).max(), (left + sides).max()) <= self.canvas
                if inside and sides.min() >= SMALLEST and sides.max() <= LARGEST:
                    return Acted(kind, colour, events, places)

    def _events(self, generator: np.random.Generator) -> tuple[Event, ...]:
        count = int(generator.integers(self.fewest, self.most + 1))
        names = [EVENTS[number] for number in generator.permutation(len(EVENTS))[:count]]
        free = self.length - 1 - SHORTEST * count
        cuts = np.sort(generator.integers(0, free + 1, count - 1))
        lengths = SHORTEST + np.diff([0, *cuts.tolist(), free])
        stops = 1 + np.cumsum(lengths)
        return tuple(
            Event(name, int(stop - size), int(stop)) for name, stop, size in zip(names, stops, lengths, strict=True)
        )


@dataclass(frozen=True)
class ShapeEvents(MovingShapes):
    """Clips with the event of each frame."""

    name = "moving_shapes_events"

    def load(self) -> Loaded[ClipTable]:
        tables = {}
        for split, size in self.sizes.items():
            acted = self.acted(split)
            targets: list[Target] = [
                [None, *(event.name for event in one.events for _ in range(event.start, event.stop))] for one in acted
            ]
            tables[split] = ClipTable(self.clips(split, acted), targets, list(range(size)))
        return Loaded(tables, EVENTS)


@dataclass(frozen=True)
class ShapeCaptions(MovingShapes):
    """Clips with a caption, such as `a red circle moves left, then grows`; the words of an event are linked to the
    frames of it, as a box of the strip of all frames."""

    def load(self) -> Loaded[CaptionTable]:
        tables = {}
        for split, size in self.sizes.items():
            acted = self.acted(split)
            written = [caption(one) for one in acted]
            tables[split] = CaptionTable(
                [ClipPicture(clip) for clip in self.clips(split, acted)], [[text] for text, _ in written],
                list(range(size)), [[regions] for _, regions in written],
            )  # fmt: skip
        return Loaded(tables)


def caption(acted: Acted) -> tuple[str, list[Region]]:
    """The caption of a clip, and the characters that name each event."""
    text, regions, length = f"a {acted.colour} {acted.kind} ", list[Region](), len(acted.places)
    for number, event in enumerate(acted.events):
        text += ", then " * (number > 0)
        start = len(text)
        text += event.name
        regions.append((start, len(text), (event.start / length, 0.0, event.stop / length, 1.0)))
    return text, regions


def _drawn(acted: Acted, canvas: int) -> np.ndarray:
    frames = np.full((len(acted.places), canvas, canvas, 3), 255.0)
    colour = np.array(COLOURS[acted.colour])
    for frame, (top, left, side) in zip(frames, acted.places.tolist(), strict=True):
        painted = ink(acted.kind, -1, side)[..., None]
        part = frame[top : top + side, left : left + side]
        part[:] = part * (1 - painted) + colour * painted
    return np.rint(frames).astype(np.uint8)
