"""Pictures and captions as arrays, ready for batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_seq.data.disk_rows import Rows
from lightning_seq.data.prepared_pictures import PreparedPictures
from lightning_seq.data.token_arrays import Ragged


@dataclass(frozen=True)
class CaptionSplit:
    """The pictures and captions of one split.

    pictures: `[P, channels, height, width]` uint8, on disk.
    captions: ids of the captions of picture 0, then those of picture 1, …; each ends with `<eos>`.
    first:    `[P + 1]` int64: picture p has the captions `first[p]` to `first[p + 1] - 1`.
    ids:      `[P]` int64, the source's number of each picture.
    boxes:    `[tokens, 4]` float32: left, top, right and bottom of what a token names, in parts of the picture; NaN for
              other tokens. None if they are unknown.
    """

    pictures: Rows
    captions: Ragged
    first: np.ndarray
    ids: np.ndarray
    boxes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class PreparedCaptions(PreparedPictures[CaptionSplit]):
    """Pictures with captions, ready for batches. spec: Picture to Caption."""

    def captions(self, split: str, picture: int) -> list[str]:
        """The captions of a picture of a split as the source has them."""
        first, texts = self.splits[split].first, self.texts(split)
        return [texts[row] for row in range(int(first[picture]), int(first[picture + 1]))]
