"""How pictures and captions are prepared for batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightning_seq.data.cache import check_limits
from lightning_seq.data.pictures import FITS, Size2
from lightning_seq.errors import UserError, one_of
from lightning_seq.files import Plain
from lightning_seq.text.normalise import check_form
from lightning_seq.text.segmenter import LEVELS

OF_TEXT = tuple(level for level in LEVELS if level != "subword")
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class CaptionSettings:
    """How the examples of a source are prepared.

    size:     height and width of every picture; one number for squares.
    fit:      of pictures of another size, one of `FITS`.
    channels: 3, or 1 for grey.
    level, lower, normalise: of captions, see `Segmenter`; level: `word`, `spaced` or `character`.
    min_count, max_vocabulary: of words or characters, in training; the others are unknown.
    max_length: tokens of a caption that are kept, from its beginning; None for all.

    Raises UserError for values out of range.
    """

    size: int | Sequence[int] = 48
    fit: str = "pad"
    channels: int = 3
    level: str = "word"
    lower: bool = True
    normalise: str = "nfc"
    min_count: int = 1
    max_vocabulary: int | None = None
    max_length: int | None = None

    def __post_init__(self) -> None:
        one_of("data.fit", self.fit, FITS)
        one_of("data.level", self.level, OF_TEXT)
        check_form(self.normalise)
        check_limits(max_length=self.max_length)
        if self.channels not in (1, 3):
            raise UserError(f"data.channels is {self.channels}, expected 3 (colours) or 1 (grey)")
        sides = [self.size] * 2 if isinstance(self.size, int) else list(self.size)
        if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= LARGEST_SIDE for side in sides):
            raise UserError(
                f"data.size is {self.size}, expected one number, or [height,width], from 1 to {LARGEST_SIDE} pixels"
            )
        object.__setattr__(self, "size", tuple(sides))

    @property
    def height_and_width(self) -> Size2:
        height, width = self.size  # type: ignore[misc]
        return height, width

    def to_plain(self) -> dict[str, Plain]:
        return {**vars(self), "size": list(self.height_and_width)}
