"""Prepared pictures with texts: their captions, or questions or dialogs about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from lightning_seq.data.cache import PreparedData
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.disk_rows import Rows
from lightning_seq.data.kept_texts import KeptTexts
from lightning_seq.data.token_arrays import LONGEST_SENTENCE, read_corpus, reading
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary


class PictureSplit(Protocol):
    """pictures: `[P, channels, height, width]` uint8."""

    @property
    def pictures(self) -> Rows: ...


S_co = TypeVar("S_co", bound=PictureSplit, covariant=True)


@dataclass(frozen=True, kw_only=True)
class PreparedPictures(PreparedData[S_co]):
    """Pictures with texts, ready for batches.

    vocabulary: of the texts of the train split alone.
    segmenter:  from a text to tokens.
    """

    vocabulary: Vocabulary
    segmenter: Segmenter
    settings: CaptionSettings

    def train_sentences(self) -> Iterator[list[str]]:
        return read_corpus(self.directory, longest=LONGEST_SENTENCE)

    def texts(self, split: str) -> KeptTexts:
        """All captions or questions of a split as the source has them."""
        return self._texts[split]

    @cached_property
    def _texts(self) -> dict[str, KeptTexts]:
        return {split: self.kept(f"{split}_text") for split in self.splits}

    def kept(self, name: str) -> KeptTexts:
        """The texts with this name in the directory."""
        with reading(self.directory):
            return KeptTexts(self.directory, name)
