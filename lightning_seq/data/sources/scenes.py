"""Scenes of handwritten digits and shapes, with captions whose words are known in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from typing import Annotated, NamedTuple

import numpy as np

from lightning_seq.data.pictures import Box, Pixels
from lightning_seq.data.sources.captions import CaptionTable, Region
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError
from lightning_seq.value_types import OneOf, Range

COLOURS = {
    "red": (214, 39, 40), "green": (30, 140, 50), "blue": (31, 90, 200), "yellow": (200, 160, 0),
    "purple": (140, 60, 180), "black": (20, 20, 20),
}  # fmt: skip
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHAPES = ("circle", "square", "triangle")
LANGUAGES = ("en", "de")
_CELLS = 3
"""Rows and columns of the canvas; an object is in one cell."""
DRAWINGS = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}
"""The part of the handwritten digits, in the order of their file, that each split draws from."""
_STREAMS = {"train": 0, "validation": 1, "test": 2}

_GERMAN_COLOURS = {
    "red": "rot", "green": "grün", "blue": "blau", "yellow": "gelb", "purple": "lila", "black": "schwarz",
}  # fmt: skip
_GERMAN = {
    **dict(zip(DIGITS, (("Null", "f"), ("Eins", "f"), ("Zwei", "f"), ("Drei", "f"), ("Vier", "f"), ("Fünf", "f"),
                        ("Sechs", "f"), ("Sieben", "f"), ("Acht", "f"), ("Neun", "f")), strict=True)),
    "circle": ("Kreis", "m"), "square": ("Quadrat", "n"), "triangle": ("Dreieck", "n"),
}  # fmt: skip
_ENDINGS = {"f": ("eine", "e", "einer", "en"), "m": ("ein", "er", "einem", "en"), "n": ("ein", "es", "einem", "en")}
"""By gender: article and ending of the adjective, in the nominative and in the dative."""
_RELATIONS = {"en": ("left of", "above"), "de": ("links von", "über")}


class Thing(NamedTuple):
    """An object of a scene. kind: a digit or a shape, in words; drawing: the row of a handwritten digit, or -1; left,
    top: in pixels; side: of its box."""

    kind: str
    colour: str
    row: int
    column: int
    left: int
    top: int
    side: int
    drawing: int

    def box(self, size: int) -> Box:
        return self.left / size, self.top / size, (self.left + self.side) / size, (self.top + self.side) / size


@dataclass(frozen=True)
class Scene:
    """Things on a white canvas, from top to bottom and from left to right; drawn when it is needed."""

    things: tuple[Thing, ...]
    size: int
    name: str

    def read(self) -> Pixels:
        canvas = np.full((self.size, self.size, 3), 255.0)
        for thing in self.things:
            painted = ink(thing.kind, thing.drawing, thing.side)[..., None]
            part = canvas[thing.top : thing.top + thing.side, thing.left : thing.left + thing.side]
            part[:] = part * (1 - painted) + np.array(COLOURS[thing.colour]) * painted
        return Pixels(np.rint(canvas).astype(np.uint8))


@dataclass(frozen=True)
class Scenes(Synthetic):
    """Pictures of coloured handwritten digits and shapes, and one caption each, such as `a red three left of a blue
    circle above a green seven`.

    Things are named from top to bottom and from left to right; `left of` joins two of one row, `above` two of different
    rows: a picture has one right caption. The words of a thing (its colour and its name) are linked to its box. Each
    split has digits of its own: the first 70 % of scikit-learn's 1,797, in the order of their file, the next 15 % and
    the rest. No two scenes of a split, or of two splits, have the same caption and the same places.

    fewest, most: things of a scene.
    language:     en or de.
    canvas:       pixels of a side.
    """

    examples: Annotated[int, Range(10, 1_000_000)] = 4000
    fewest: Annotated[int, Range(1, 9)] = 1
    most: Annotated[int, Range(1, 9)] = 4
    language: Annotated[str, OneOf(LANGUAGES)] = "en"
    canvas: Annotated[int, Range(24, 512)] = 48

    name = "scenes"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most < self.fewest:
            raise UserError(f"data.most is {self.most}, expected at least data.fewest={self.fewest}")
        kinds = len(DIGITS + SHAPES) * len(COLOURS)
        possible = sum(comb(_CELLS**2, count) * kinds**count for count in range(self.fewest, self.most + 1))
        self.check_enough(possible, "scenes", "a larger data.most")

    def load(self) -> Loaded[CaptionTable]:
        tables, seen = {}, set[tuple[object, ...]]()
        for split, size in self.sizes.items():
            scenes = self.scenes(split, size, seen)
            written = [caption(scene.things, self.language, self.canvas) for scene in scenes]
            tables[split] = CaptionTable(
                [*scenes], [[text] for text, _ in written], list(range(size)), [[regions] for _, regions in written]
            )
        return Loaded(tables)

    def scenes(self, split: str, size: int, seen: set[tuple[object, ...]]) -> list[Scene]:
        """New scenes, which are added to `seen`."""
        draw, scenes = self.drawer(split, self.generator(_STREAMS[split])), list[Scene]()
        while len(scenes) < size:
            things = draw()
            key = tuple((thing.kind, thing.colour, thing.left, thing.top) for thing in things)
            if key not in seen:
                seen.add(key)
                scenes.append(Scene(things, self.canvas, f"scene {len(scenes)} of {split}"))
        return scenes

    def drawer(self, split: str, generator: np.random.Generator) -> Drawer:
        """Draws scenes with the digits of a split."""
        first, last = (round(share * len(handwritten()[1])) for share in DRAWINGS[split])
        return Drawer(generator, self.fewest, self.most, self.canvas, first, last)


@dataclass(frozen=True)
class Drawer:
    """Draws scenes of `fewest` to `most` things, with the handwritten digits from `first` to `last` (exclusive)."""

    generator: np.random.Generator
    fewest: int
    most: int
    canvas: int
    first: int
    last: int

    def __call__(self) -> tuple[Thing, ...]:
        generator, cell = self.generator, self.canvas // _CELLS
        count = int(generator.integers(self.fewest, self.most + 1))
        places, things = sorted(generator.permutation(_CELLS**2)[:count].tolist()), []
        for place in places:
            colour = [*COLOURS][generator.integers(len(COLOURS))]
            kind = (DIGITS + SHAPES)[generator.integers(len(DIGITS + SHAPES))]
            drawing, side = self.drawing(kind), round(cell * 0.85)
            down, right = generator.integers(0, cell - side + 1, 2).tolist()
            row, column = divmod(place, _CELLS)
            things.append(Thing(kind, colour, row, column, column * cell + right, row * cell + down, side, drawing))
        return tuple(things)

    def drawing(self, kind: str) -> int:
        """A handwritten digit of this kind; -1 for a shape."""
        if kind not in DIGITS:
            return -1
        rows = np.flatnonzero(handwritten()[1][self.first : self.last] == DIGITS.index(kind))
        return int(self.generator.choice(self.first + rows))

    def changed(self, thing: Thing, kind: str, colour: str) -> Thing:
        """A thing of another kind and colour in the same place."""
        return thing._replace(kind=kind, colour=colour, drawing=self.drawing(kind))


def caption(things: Sequence[Thing], language: str, size: int) -> tuple[str, list[Region]]:
    """The caption of a scene, and the characters that name each thing."""
    text, regions = "", list[Region]()
    for index, thing in enumerate(things):
        if index:
            text += f" {_RELATIONS[language][thing.row != things[index - 1].row]} "
        article, words = named(thing, language, dative=index > 0)
        start = len(text) + len(article) + 1
        text += f"{article} {words}"
        regions.append((start, len(text), thing.box(size)))
    return text, regions


def named(thing: Thing, language: str, dative: bool = False) -> tuple[str, str]:
    """The article of a thing, and its colour and name."""
    if language == "en":
        return "a", f"{thing.colour} {thing.kind}"
    name, gender = _GERMAN[thing.kind]
    article, ending = _ENDINGS[gender][2:] if dative else _ENDINGS[gender][:2]
    colour = _GERMAN_COLOURS[thing.colour]
    return article, f"{colour}{'' if colour == 'lila' else ending} {name}"


@cache
def handwritten() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's handwritten digits (Alpaydin & Kaynak 1998): `[1797, 8, 8]`, ink 0 to 1, and their classes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images / 16.0, digits.target


@cache
def ink(kind: str, drawing: int, side: int) -> np.ndarray:
    """`[side, side]`, 0 to 1."""
    from PIL import Image, ImageDraw

    if drawing >= 0:
        image = Image.fromarray(np.rint(handwritten()[0][drawing] * 255).astype(np.uint8))
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)) / 255.0
    fine = 4 * side
    image = Image.new("L", (fine, fine))
    pen, inside = ImageDraw.Draw(image), (2, 2, fine - 3, fine - 3)
    if kind == "circle":
        pen.ellipse(inside, fill=255)
    elif kind == "square":
        pen.rectangle(inside, fill=255)
    else:
        pen.polygon([(fine // 2, 2), (2, fine - 3), (fine - 3, fine - 3)], fill=255)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX)) / 255.0
