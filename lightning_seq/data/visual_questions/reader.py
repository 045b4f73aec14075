"""The reader of new questions about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lightning_seq.data.note import Note, note_of_tokens, refusal
from lightning_seq.data.pictures import PictureFile, channels_first, fitted
from lightning_seq.data.reader import Reader, check_some, empty_text
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Question
from lightning_seq.text.padding import pad
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary

PICTURES = "pictures"
"""The key of the pictures in a batch's `extra`."""


@dataclass(frozen=True)
class QuestionReader(Reader):
    """Reads lines `FILE<TAB>QUESTION` as batches: the file of a picture, a tab, a question about it.

    fit: of pictures of another size, see `fitted`; max_length: tokens of a question that are read, or None for all.
    """

    KIND = "visual_questions"
    vocabulary: Vocabulary
    segmenter: Segmenter
    fit: str = "pad"
    max_length: int | None = None

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """Raises UserError for a line without a tab, for a file that is no picture, and for an empty question."""
        check_some(texts, "question")
        pairs = [self._parts(text, number) for number, text in enumerate(texts, first)]
        ids, mask = pad([np.array(self.vocabulary.encode(tokens), dtype=np.int64) for _, tokens in pairs])
        pictures = torch.from_numpy(np.stack([self.pixels(path) for path, _ in pairs]))
        zeros = torch.zeros(len(pairs), dtype=torch.int64)
        return Batch(torch.arange(len(pairs)), ids, mask, zeros, zeros.bool(), 0, {PICTURES: pictures, "kinds": zeros})

    def _parts(self, text: str, number: int) -> tuple[Path, list[str]]:
        name, tab, question = text.partition("\t")
        if not tab:
            raise UserError(f"text {number} has no tab: expected the file of a picture, a tab and a question")
        if not any(map(str.strip, tokens := self.segmenter(question))):
            raise empty_text(number)
        return Path(name), tokens[: self.max_length]

    def pixels(self, path: Path) -> np.ndarray:
        """`[channels, height, width]` uint8. Raises UserError for a file that is no picture."""
        inputs = self.spec.inputs_as(Question)
        values = PictureFile(str(path), path.expanduser()).read().values
        return channels_first(fitted(values, (inputs.height, inputs.width), self.fit).values, inputs.channels)

    def note(self, text: str) -> Note | None:
        return refusal(lambda: self.encode([text])) or note_of_tokens(
            self.segmenter(text.partition("\t")[2]), self.vocabulary, self.max_length
        )
