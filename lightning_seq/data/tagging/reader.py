"""The reader of new sentences for a tagger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lightning_seq.data.note import Note, note_of_tokens
from lightning_seq.data.reader import Reader, check_some, empty_text
from lightning_seq.data.tagging.spelling import Spellings, WordForm
from lightning_seq.data.token_arrays import TokenNumbers
from lightning_seq.spec import NOT_COUNTED, Batch
from lightning_seq.text.punctuation import bare_words
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class TagReader(Reader):
    """Reads sentences as words, characters and capitals.

    characters, intents, scheme: see `PreparedTags`.
    form, max_word_length, max_length: see `TagSettings`.
    bare: read only the words of a text, in small letters, without marks, as in `verses_punctuation`.
    """

    KIND = "tagging"
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
        return note_of_tokens([self.form(token) for token in self._tokens(text)], self.vocabulary, self.max_length)

    def _tokens(self, text: str | Sequence[str]) -> list[str]:
        if not isinstance(text, str):
            return list(text)
        if self.bare:
            return bare_words(self.form.spelt(text))
        return Tokeniser(lower=False, normalise=self.form.normalise)(text)

    def encode(self, texts: Sequence[str | Sequence[str]], first: int = 1) -> Batch:
        """See `Reader.encode`; a text may be a list of tokens. Raises UserError for an empty text or token."""
        check_some(texts)
        sentences = [self.tokens(text) for text in texts]
        for number, tokens in enumerate(sentences, first):
            if not tokens or not all(map(str.strip, tokens)):
                raise empty_text(number)
        numbers = TokenNumbers()
        flat, offsets = numbers.flatten(sentences)
        spellings = Spellings.of(list(numbers), self.form, self.vocabulary, self.characters, self.max_word_length)
        size = len(sentences)
        inputs, mask, extra = spellings.look_up(flat, offsets, np.arange(size))
        if self.intents:
            extra["intents"] = torch.full((size,), NOT_COUNTED)
        targets, counts = torch.zeros_like(inputs), torch.zeros_like(mask)
        return Batch(torch.arange(size), inputs, mask, targets, counts, 0, extra)
