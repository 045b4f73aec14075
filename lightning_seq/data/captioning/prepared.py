"""Pictures and captions as arrays, ready for batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lightning_seq.data.cache import PreparedData
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.disk_rows import Rows
from lightning_seq.data.kept_texts import KeptTexts
from lightning_seq.data.token_arrays import LONGEST_SENTENCE, Ragged, read_corpus, reading
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary


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
class PreparedCaptions(PreparedData[CaptionSplit]):
    """Pictures with captions, ready for batches. spec: Picture to Caption.

    vocabulary: of the captions of the train split alone.
    segmenter:  from a caption to tokens.
    """

    vocabulary: Vocabulary
    segmenter: Segmenter
    settings: CaptionSettings

    def captions(self, split: str, picture: int) -> list[str]:
        """The captions of a picture of a split as the source has them."""
        first = self.splits[split].first
        return [self._texts[split][row] for row in range(int(first[picture]), int(first[picture + 1]))]

    def texts(self, split: str) -> KeptTexts:
        """All captions of a split as the source has them."""
        return self._texts[split]

    @cached_property
    def _texts(self) -> dict[str, KeptTexts]:
        with reading(self.directory):
            return {split: KeptTexts(self.directory, f"{split}_text") for split in self.splits}

    def train_sentences(self) -> Iterator[list[str]]:
        return read_corpus(self.directory, longest=LONGEST_SENTENCE)
