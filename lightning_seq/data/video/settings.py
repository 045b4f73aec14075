"""How clips are prepared for batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.clips import evenly
from lightning_seq.data.pictures import FITS, Size2
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import OneOf, Size

TAKE = ("spread", "first")


@dataclass(frozen=True)
class VideoSettings:
    """From a clip to its frames, in this order:

    stride:   every so many frames one is kept, from the first.
    frames:   of them so many at most: `take` is `spread` (in equal steps from the first to the last) or `first`; None:
              all.
    size:     height and width of every frame; one number for squares.
    fit:      of frames of another size, one of `FITS`.
    channels: 3, or 1 for grey.

    Raises UserError for values out of range.
    """

    frames: Size | None = 16
    stride: Size = 1
    take: Annotated[str, OneOf(TAKE)] = "spread"
    size: Size | Sequence[Size] = 32
    fit: Annotated[str, OneOf(FITS)] = "pad"
    channels: int = 3

    def __post_init__(self) -> None:
        checked = CaptionSettings(self.size, self.fit, self.channels)
        check_fields(self, "data")
        object.__setattr__(self, "size", checked.height_and_width)

    @property
    def height_and_width(self) -> Size2:
        height, width = self.size  # type: ignore[misc]
        return height, width

    def picked(self, count: int) -> np.ndarray:
        """The numbers of the frames that stay, of `count` frames."""
        kept = np.arange(0, count, self.stride)
        if self.frames is None or len(kept) <= self.frames:
            return kept
        return kept[: self.frames] if self.take == "first" else kept[evenly(len(kept), self.frames)]

    def to_plain(self) -> dict[str, Plain]:
        return {**asdict(self), "size": list(self.height_and_width)}

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> VideoSettings:
        return cls(**plain)
