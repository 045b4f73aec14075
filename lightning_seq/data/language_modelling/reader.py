"""The reader of new text for a language model: from text to ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from lightning_seq.data.language_modelling.prepare import LineReading
from lightning_seq.data.note import EMPTY, UNKNOWN, Note, refusal
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch
from lightning_seq.text.padding import pad
from lightning_seq.text.vocabulary import BOS, EOS, PAD, UNK, Vocabulary


@dataclass(frozen=True)
class LanguageReader(Reader):
    """Reads texts as token ids, and token ids as text. layout: `columns` or `sequences`, as in training."""

    KIND = "language_modelling"
    vocabulary: Vocabulary
    reading: LineReading
    layout: str = "columns"

    @cached_property
    def line_end(self) -> int | None:
        """The id that ends a line and precedes a text, or None; see `LineReading.line_end`."""
        return self.reading.line_end(self.vocabulary)

    @property
    def suppressed_tokens(self) -> tuple[int, ...]:
        """Ids that are no target in training; a sampler leaves them out."""
        if not self.vocabulary.has_specials:
            return ()
        return (PAD, BOS) if self.line_end == EOS else (PAD, BOS, EOS)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text. In a model of words every line feed is an `<eos>`, also one at the end of the text.

        Raises UserError for a symbol that a vocabulary without `<unk>` does not have.
        """
        if self.reading.by_character:
            return self.vocabulary.encode(self.reading.tokeniser(text))
        ids: list[int] = []
        *ended, last = text.split("\n")
        for line in ended:
            row = self.vocabulary.encode(self.reading.tokeniser(line))
            if self.line_end is not None and (row or self.reading.blank_lines):
                row.append(self.line_end)
            ids += row
        return ids + self.vocabulary.encode(self.reading.tokeniser(last))

    def encode(self, texts: Sequence[str], first: int = 1, unknown: bool = False) -> Batch:
        """One batch of all texts, each from the start.

        first:   the number of the first text, for errors.
        unknown: allow texts that have only unknown words.

        The inputs are the end of a line, if lines have one, and all tokens of a text; the targets are the next tokens.
        No token follows the last one: that target is 0 and does not count, and the model still predicts it. `count` is
        the number of targets that count.

        Raises UserError, with the text's number, for a text that has only unknown words, and for an empty one if lines
        have no end.
        """
        check_some(texts)
        rows = []
        for number, text in enumerate(texts, first):
            row = self.ids(text)
            if not row and self.line_end is None:
                raise UserError(f"text {number} is empty: expected at least one token")
            if not unknown and self._is_unknown(row):
                raise UserError(
                    f"text {number} has only unknown words ({' '.join(text.split())[:60]}): "
                    "expected at least one word that occurs in the training data"
                )
            rows.append(np.array(([] if self.line_end is None else [self.line_end]) + row, dtype=np.int64))
        inputs, mask = pad(rows)
        targets, target_mask = torch.zeros_like(inputs), torch.zeros_like(mask)
        targets[:, :-1], target_mask[:, :-1] = inputs[:, 1:], mask[:, 1:]
        return Batch(torch.arange(len(rows)), inputs, mask, targets, target_mask, int(target_mask.sum()))

    def _is_unknown(self, row: Sequence[int]) -> bool:
        return self.vocabulary.has_specials and {UNK} == set(row) - {self.line_end}

    def note(self, text: str) -> Note | None:
        """See `Reader.note`. A model whose lines have an end can answer an empty text."""
        if refused := refusal(lambda: self.ids(text)):
            return refused
        row = self.ids(text)
        if not row:
            return EMPTY._replace(readable=self.line_end is not None)
        return UNKNOWN if self._is_unknown(row) else None

    def decode(self, ids: Iterable[int]) -> str:
        """Text: words with a space between them and a new line after `<eos>`; characters as they are.

        The text of the first ids is the beginning of the text of all ids.
        """
        if self.reading.by_character:
            return "".join(self.vocabulary.decode(ids))
        text = ""
        for index in ids:
            if index == EOS and self.vocabulary.has_specials:
                text += "\n"
            else:
                space = "" if not text or text.endswith("\n") else " "
                text += space + self.vocabulary.words[index]
        return text
