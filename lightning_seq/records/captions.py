"""captions.json: captions of chosen pictures by epoch, with the attention of each word; test_captions.json: captions of
test pictures with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.attention import MOST_WEIGHTS
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.numbers import thin, thinned
from lightning_seq.records.pictures import LONGEST_TEXT, Grid, check_weights, checked_grid, checked_png

MOST_PICTURES, MOST_EPOCHS, MOST_WORDS, MOST_REFERENCES, MOST_THINGS = 6, 12, 30, 5, 20

TRAINED_ENCODER = "nearest picture by the trained encoder"
"""The name of a baseline that each run has of its own."""

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
        """Of captions of many epochs `MOST_EPOCHS` are kept, and the first `MOST_THINGS` things.

        Raises one of `files.DAMAGE` for another form.
        """
        picture = super().from_plain({**plain, "captions": thin(list(plain["captions"]), MOST_EPOCHS)})
        things = {None, *range(len(picture.things))}
        if any(set(caption.things) - things for caption in picture.captions):
            raise ValueError(f"expected words of {len(picture.things)} things")
        return replace(
            picture,
            png=checked_png(picture.png),
            references=_texts(picture.references),
            things=picture.things[:MOST_THINGS],
            captions=tuple(map(_of_kept_things, picture.captions)),
        )


@dataclass(frozen=True)
class Captions(JsonRecord):
    """A `captions.json`. grid: rows and columns of the places, None without attention."""

    grid: Grid | None
    pictures: tuple[CaptionedPicture, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many pictures the first `MOST_PICTURES` are kept. Raises one of `files.DAMAGE` for another form."""
        grid = checked_grid(plain["grid"])
        found = tuple(map(CaptionedPicture.from_plain, plain["pictures"][:MOST_PICTURES]))
        check_weights((row for picture in found for caption in picture.captions for row in caption.weights), grid)
        return cls(grid, found)


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
            png=checked_png(found.png),
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


def _of_kept_things(caption: EpochCaption) -> EpochCaption:
    """Words of things from `MOST_THINGS` on name nothing."""
    kept = [number is not None and number < MOST_THINGS for number in caption.things]
    things = tuple(number if keeps else None for number, keeps in zip(caption.things, kept, strict=True))
    shares = tuple(share if keeps else None for share, keeps in zip(caption.shares, kept, strict=False))
    return replace(caption, things=things, shares=shares)


def fitted(runs: Sequence[Captions], most: int = MOST_WEIGHTS) -> list[Captions]:
    """The runs with fewer epochs, until they have at most `most` weights or one epoch each."""
    kept = list(runs)
    for epochs in range(MOST_EPOCHS, 0, -1):
        kept = [_of_epochs(run, epochs) for run in runs]
        if sum(_size(run) for run in kept) <= most:
            break
    return kept


def _of_epochs(run: Captions, most: int) -> Captions:
    pictures = (replace(one, captions=tuple(thinned(one.captions, most))) for one in run.pictures)
    return replace(run, pictures=tuple(pictures))


def _size(run: Captions) -> int:
    return sum(len(row) for picture in run.pictures for caption in picture.captions for row in caption.weights)
