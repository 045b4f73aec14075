"""Clips with captions as pictures: strips of frames next to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lightning_seq.data.clips import ClipPicture, Strip
from lightning_seq.data.pictures import Picture, Size2
from lightning_seq.data.sources.captions import CaptionSource, CaptionTable
from lightning_seq.data.sources.table import Loaded
from lightning_seq.files import Plain


def of_strip(size: Size2, frames: int) -> Size2:
    """The size of a strip of frames of this size."""
    return size[0], size[1] * frames


@dataclass(frozen=True)
class AsStrips:
    """A source whose pictures are clips, read as strips of `frames` frames each.

    size: of a strip; fit: of a frame, see `fitted`. A picture that is no clip is itself a strip of `frames` frames.
    """

    source: CaptionSource
    frames: int
    size: Size2
    fit: str

    def describe(self) -> str:
        return self.source.describe()

    def identity(self) -> Plain:
        return {"strips": self.source.identity(), "frames": self.frames}

    def load(self) -> Loaded[CaptionTable]:
        """Raises UserError as the source does."""
        loaded = self.source.load()
        tables = {
            split: replace(table, pictures=[self._strip(picture) for picture in table.pictures])
            for split, table in loaded.tables.items()
        }
        return replace(loaded, tables=tables)

    def _strip(self, picture: Picture) -> ClipPicture:
        clip = picture.clip if isinstance(picture, ClipPicture) else Strip(picture, self.frames)
        return ClipPicture(clip, self.frames, (self.size[0], self.size[1] // self.frames), self.fit)
