"""captions.json: captions of chosen pictures by epoch, with the attention of each word; test_captions.json: captions of
test pictures with their scores."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.attention import LEVELS, MOST_WEIGHTS
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.numbers import thin

MOST_PICTURES, MOST_EPOCHS, MOST_WORDS, MOST_REFERENCES, MOST_THINGS = 6, 12, 30, 5, 20
MOST_SIDE = 16
"""Rows and columns of the places of an attention map in a file."""
LONGEST_TEXT, LARGEST_SIDE = 300, 96
_BASE64 = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/]{20,79989}={0,2}")
"""A PNG file of at most 60,000 bytes: the text begins with PNG's signature."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class NamedThing(JsonRecord):
    """words: of the reference that name it; box: left, top, right and bottom in parts of the picture."""

    words: str
    box: Box

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box
        if not (0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
            raise ValueError(f"expected a box within the picture, {self.box} came")


@dataclass(frozen=True)
class EpochCaption(JsonRecord):
    """The caption that a model wrote after an epoch.

    weights: for each word a string of `LEVELS`, one for each place, row by row; empty without attention.
    things:  for each word the number of the thing that it names, or None; empty where things are unknown.
    shares:  for each word the part of its attention that is in the box of its thing, or None.
    """

    epoch: int
    words: tuple[str, ...]
    weights: tuple[str, ...] = ()
    things: tuple[int | None, ...] = ()
    shares: tuple[float | None, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Words beyond `MOST_WORDS` are left out. Raises one of `files.DAMAGE` for another form."""
        caption = super().from_plain(plain)
        for values in (caption.weights, caption.things, caption.shares):
            if values and len(values) != len(caption.words):
                raise ValueError(f"expected a value for each of {len(caption.words)} words, {len(values)} came")
        if set("".join(caption.weights)) - set(LEVELS):
            raise ValueError("expected weights in characters of the levels")
        parts = (caption.words, caption.weights, caption.things, caption.shares)
        return cls(caption.epoch, *(part[:MOST_WORDS] for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True)
class CaptionedPicture(JsonRecord):
    """A validation picture. number: its row in the split; png: the picture as PNG in base64."""

    number: Annotated[int, Key("id")]
    png: str
    references: tuple[str, ...]
    things: tuple[NamedThing, ...]
    captions: tuple[EpochCaption, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of captions of many epochs `MOST_EPOCHS` are kept. Raises one of `files.DAMAGE` for another form."""
        picture = super().from_plain({**plain, "captions": thin(list(plain["captions"]), MOST_EPOCHS)})
        things = {None, *range(len(picture.things))}
        if any(set(caption.things) - things for caption in picture.captions):
            raise ValueError(f"expected words of {len(picture.things)} things")
        return replace(picture, png=_png(picture.png), references=_texts(picture.references))


@dataclass(frozen=True)
class Captions(JsonRecord):
    """A `captions.json`. grid: rows and columns of the places, None without attention."""

    grid: tuple[int, int] | None
    pictures: tuple[CaptionedPicture, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many pictures the first `MOST_PICTURES` are kept. Raises one of `files.DAMAGE` for another form."""
        grid = plain["grid"] and (int(plain["grid"][0]), int(plain["grid"][1]))
        found = tuple(map(CaptionedPicture.from_plain, plain["pictures"][:MOST_PICTURES]))
        if grid and not all(1 <= side <= MOST_SIDE for side in grid):
            raise ValueError(f"expected a grid of at most {MOST_SIDE} rows and columns, {grid} came")
        places = grid[0] * grid[1] if grid else 0
        if {len(row) for picture in found for caption in picture.captions for row in caption.weights} - {places}:
            raise ValueError(f"expected {places} weights for each word")
        return cls(grid or None, found)


@dataclass(frozen=True)
class ScoredCaption(JsonRecord):
    """A test picture and the caption of the search.

    shared: whether the data alone chose the picture, so that all runs have it; the others are a run's worst and best.
    cider:  of this caption, 0 to 10; loss: of the first reference, in nats per token.
    """

    number: Annotated[int, Key("id")]
    png: str
    references: tuple[str, ...]
    caption: str
    cider: float
    exact: bool
    shared: bool
    loss: float | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        found = super().from_plain(plain)
        return replace(
            found,
            png=_png(found.png),
            references=_texts(found.references),
            caption=found.caption[:LONGEST_TEXT],
        )


@dataclass(frozen=True)
class ScoredCaptions(JsonRecord):
    """A `test_captions.json`: the pictures of the lowest score first. n: of the test split."""

    n: int
    pictures: tuple[ScoredCaption, ...]


def _texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text[:LONGEST_TEXT] for text in texts[:MOST_REFERENCES])


def _png(text: str) -> str:
    if not _BASE64.fullmatch(text) or not all(1 <= side <= LARGEST_SIDE for side in picture_size(text)):
        raise ValueError("expected a small PNG file in base64")
    return text


def picture_size(png: str) -> tuple[int, int]:
    """Width and height in pixels, of a PNG file in base64."""
    width, height = struct.unpack(">II", base64.b64decode(png[:32])[16:24])
    return width, height


def fitted(runs: Sequence[Captions], most: int = MOST_WEIGHTS) -> list[Captions]:
    """The runs with fewer epochs, until they have at most `most` weights or one epoch each."""
    kept = list(runs)
    for epochs in range(MOST_EPOCHS, 0, -1):
        kept = [
            replace(run, pictures=tuple(replace(one, captions=_last(one.captions, epochs)) for one in run.pictures))
            for run in runs
        ]
        if sum(_size(run) for run in kept) <= most:
            break
    return kept


def _size(run: Captions) -> int:
    return sum(len(row) for picture in run.pictures for caption in picture.captions for row in caption.weights)


def _last(captions: tuple[EpochCaption, ...], most: int) -> tuple[EpochCaption, ...]:
    """At most so many; a single one is the last."""
    return captions[-1:] if most == 1 else tuple(thin(list(captions), most))
