"""The reader of new questions about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lightning_seq.data.note import EMPTY, Note, note_of_tokens
from lightning_seq.data.picture_file_reader import PictureFileReader
from lightning_seq.data.pictures import picture_named
from lightning_seq.data.reader import check_some, empty_text
from lightning_seq.data.visual_questions.settings import NORMALISERS
from lightning_seq.errors import UserError
from lightning_seq.spec import KINDS, PICTURES, Batch
from lightning_seq.text.padding import pad


@dataclass(frozen=True)
class QuestionReader(PictureFileReader):
    """Reads lines `FILE<TAB>QUESTION` as batches: the file of a picture, a tab, a question about it; perhaps a further
    tab and the answers to choose from, separated by `|`.

    max_length: tokens of a question that are read, or None for all; normalise_answers: of choices, one of
    `NORMALISERS`. See `PictureFileReader`.
    """

    KIND = "visual_questions"
    TABS = True
    max_length: int | None = None
    normalise_answers: str = "none"

    def choices_in(self, text: str) -> dict[str, str]:
        """See `choices`, of a line; empty without."""
        return self.choices([*text.split("\t"), "", ""][2])

    def choices(self, listed: str) -> dict[str, str]:
        """Answers with `|` between them, as they are written, with their normalised form."""
        written = filter(None, map(str.strip, listed.split("|")))
        return {choice: NORMALISERS[self.normalise_answers](choice) for choice in written}

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """Raises UserError for a line without a tab, for a file that is no picture, and for an empty question."""
        check_some(texts, "question")
        return self.encode_pairs([_parts(text, number) for number, text in enumerate(texts, first)], first)

    def encode_pairs(self, pairs: Sequence[tuple[Path, str]], first: int = 1) -> Batch:
        """One batch of the files of pictures and the questions about them. Raises UserError as `encode`."""
        tokens = [self._tokens(question, number) for number, (_, question) in enumerate(pairs, first)]
        ids, mask = pad([np.array(self.vocabulary.encode(words), dtype=np.int64) for words in tokens])
        pictures = torch.from_numpy(np.stack([self.read(path).values for path, _ in pairs]))
        zeros = torch.zeros(len(pairs), dtype=torch.int64)
        return Batch(torch.arange(len(pairs)), ids, mask, zeros, zeros.bool(), 0, {PICTURES: pictures, KINDS: zeros})

    def _tokens(self, question: str, number: int) -> list[str]:
        if not any(map(str.strip, tokens := self.segmenter(question))):
            raise empty_text(number)
        return tokens[: self.max_length]

    def note(self, text: str) -> Note | None:
        if not text.strip():
            return EMPTY
        try:
            return self.note_of(*_parts(text, 1))
        except UserError as error:
            return Note(str(error), False)

    def note_of(self, path: Path, question: str) -> Note | None:
        """A note on a picture and a question."""
        return self.note_of_picture(path, note_of_tokens(self.segmenter(question), self.vocabulary, self.max_length))


def _parts(text: str, number: int) -> tuple[Path, str]:
    name, tab, rest = text.partition("\t")
    if not tab:
        raise UserError(f"text {number} has no tab: expected the file of a picture, a tab and a question")
    return picture_named(name, f"text {number}"), rest.partition("\t")[0]
