"""The reader of new sentences for a tagger, without the data of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lightning_seq.data.note import Note, note_of_tokens
from lightning_seq.data.tagging.spelling import Spellings, WordForm
from lightning_seq.errors import UserError
from lightning_seq.spec import NOT_COUNTED, Batch, DataSpec
from lightning_seq.text.punctuation import bare_words
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import Vocabulary

KIND = "tagging"


@dataclass(frozen=True)
class TagReader:
    """From new text to batches, as in training: all that a checkpoint needs of the data.

    characters, intents, scheme: see `PreparedTags`.
    form, max_word_length, max_length: see `TagSettings`.
    bare: read text as its words in small letters alone, without marks, as `verses_punctuation` has them.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    characters: tuple[str, ...]
    intents: tuple[str, ...]
    scheme: str
    form: WordForm
    max_word_length: int
    max_length: int | None = None
    bare: bool = False

    def tokens(self, text: str | Sequence[str]) -> list[str]:
        """The tokens of a text that a batch holds; a list of tokens is taken as it is."""
        return self._tokens(text)[: self.max_length]

    def note(self, text: str) -> Note | None:
        """What is unusual about a text, or None."""
        return note_of_tokens([self.form(token) for token in self._tokens(text)], self.vocabulary, self.max_length)

    def _tokens(self, text: str | Sequence[str]) -> list[str]:
        if not isinstance(text, str):
            return list(text)
        if self.bare:
            return bare_words(self.form.spelt(text))
        return Tokeniser(lower=False, normalise=self.form.normalise)(text)

    def encode(self, texts: Sequence[str | Sequence[str]], first: int = 1) -> Batch:
        """One batch of all texts; `targets` are 0 and do not count. first: the number of the first one.

        Raises UserError for a text that is empty, with its number.
        """
        if not texts:
            raise UserError("there is no text: expected at least one")
        sentences = [self.tokens(text) for text in texts]
        for number, tokens in enumerate(sentences, first):
            if not tokens or not all(map(str.strip, tokens)):
                raise UserError(f"text {number} is empty: expected at least one word on every line")
        numbers: dict[str, int] = {}
        flat = [numbers.setdefault(token, len(numbers)) for tokens in sentences for token in tokens]
        offsets = np.cumsum([0, *map(len, sentences)])
        spellings = Spellings.of(list(numbers), self.form, self.vocabulary, self.characters, self.max_word_length)
        size = len(sentences)
        inputs, mask, extra = spellings.look_up(np.array(flat), offsets, np.arange(size))
        if self.intents:
            extra["intents"] = torch.full((size,), NOT_COUNTED)
        return Batch(
            ids=torch.arange(size),
            inputs=inputs,
            mask=mask,
            targets=torch.zeros_like(inputs),
            target_mask=torch.zeros_like(mask),
            count=0,
            extra=extra,
        )

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {
            "kind": KIND,
            "spec": self.spec.to_plain(),
            "vocabulary": self.vocabulary.to_plain(),
            "characters": list(self.characters),
            "intents": list(self.intents),
            "scheme": self.scheme,
            "form": self.form.to_plain(),
            "max_word_length": self.max_word_length,
            "max_length": self.max_length,
            "bare": self.bare,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> TagReader:
        """The inverse of `to_plain`."""
        return cls(
            DataSpec.from_plain(plain["spec"]),
            Vocabulary.from_plain(plain["vocabulary"]),
            tuple(plain["characters"]),
            tuple(plain["intents"]),
            plain["scheme"],
            WordForm(**plain["form"]),
            plain["max_word_length"],
            plain["max_length"],
            plain["bare"],
        )
