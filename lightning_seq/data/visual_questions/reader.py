"""The reader of new questions about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lightning_seq.data.note import EMPTY, Note, note_of_tokens
from lightning_seq.data.pictures import Pixels, picture_named, read_fitted
from lightning_seq.data.reader import Reader, check_some, empty_text
from lightning_seq.data.visual_questions.settings import NORMALISERS
from lightning_seq.errors import UserError
from lightning_seq.spec import KINDS, PICTURES, Batch, Question
from lightning_seq.text.padding import pad
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class QuestionReader(Reader):
    """Reads lines `FILE<TAB>QUESTION` as batches: the file of a picture, a tab, a question about it; perhaps a further
    tab and the answers to choose from, separated by `|`.

    fit: of pictures of another size, see `fitted`; max_length: tokens of a question that are read, or None for all;
    normalise_answers: of choices, one of `NORMALISERS`.
    """

    KIND = "visual_questions"
    TABS = True
    vocabulary: Vocabulary
    segmenter: Segmenter
    fit: str = "pad"
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

    def read(self, path: Path) -> Pixels:
        """`[channels, height, width]` uint8, and the change of the picture's own colours. Raises UserError for a file
        that is no picture."""
        inputs = self.spec.inputs_as(Question)
        return read_fitted(path, (inputs.height, inputs.width), self.fit, inputs.channels)

    def note(self, text: str) -> Note | None:
        if not text.strip():
            return EMPTY
        try:
            return self.note_of(*_parts(text, 1))
        except UserError as error:
            return Note(str(error), False)

    def note_of(self, path: Path, question: str) -> Note | None:
        """A note on a picture and a question."""
        of_question = note_of_tokens(self.segmenter(question), self.vocabulary, self.max_length)
        if of_question is not None and not of_question.readable:
            return of_question
        try:
            change = self.read(path).change
        except UserError as error:
            return Note(str(error), False)
        return of_question or (Note(f"the picture is {change}", True) if change else None)


def _parts(text: str, number: int) -> tuple[Path, str]:
    name, tab, rest = text.partition("\t")
    if not tab:
        raise UserError(f"text {number} has no tab: expected the file of a picture, a tab and a question")
    return picture_named(name, f"text {number}"), rest.partition("\t")[0]
