"""The reader of new pictures for a captioner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from lightning_seq.data.note import Note
from lightning_seq.data.picture_file_reader import PictureFileReader
from lightning_seq.data.reader import check_some
from lightning_seq.spec import Batch
from lightning_seq.text.vocabulary import BOS, EOS, PAD


@dataclass(frozen=True)
class PictureReader(PictureFileReader):
    """Reads pictures in files as batches, and word ids as text; see `PictureFileReader`."""

    KIND = "captioning"

    @property
    def tokenized(self) -> bool:
        """Whether `decode` puts a space between all tokens."""
        return self.segmenter.tokenised

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of the pictures in these files; `targets` are one `<eos>` each.

        Raises UserError for a file that is no picture.
        """
        check_some(texts, "picture")
        return self.batch([self.pixels(Path(name)) for name in texts])

    def pixels(self, path: Path) -> np.ndarray:
        """`[channels, height, width]` uint8. Raises UserError for a file that is no picture."""
        return self.read(path).values

    def batch(self, pictures: Sequence[np.ndarray]) -> Batch:
        """Of pictures that have the model's size already."""
        N = len(pictures)
        targets, mask = torch.full((N, 1), EOS), torch.ones(N, 1, dtype=torch.bool)
        return Batch(torch.arange(N), torch.from_numpy(np.stack(pictures)), mask, targets, ~mask, count=0)

    def note(self, text: str) -> Note | None:
        return self.note_of_picture(Path(text))

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens up to `<eos>`."""
        words = self.vocabulary.words
        return [words[number] for number in takewhile(EOS.__ne__, map(int, ids)) if number not in (PAD, BOS)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids up to `<eos>`."""
        return self.segmenter.join(self.target_tokens(ids))

    def reference(self, text: str) -> str:
        """A caption as `decode` would write it if every token were known."""
        return self.segmenter.plain(text)
