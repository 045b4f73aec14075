"""The reader of new text for a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lightning_seq.data.note import Note, note_of_tokens
from lightning_seq.data.reader import Reader, tokenised
from lightning_seq.files import Plain
from lightning_seq.spec import Batch, Class
from lightning_seq.text.padding import pad
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class TextReader(Reader):
    """Reads texts as token ids. max_length: tokens of a text that are read, or None for all."""

    KIND = None
    vocabulary: Vocabulary
    tokeniser: Tokeniser
    max_length: int | None = None

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """See `Reader.encode`. Unknown words are `<unk>`, as in training. Raises UserError for an empty text."""
        sentences = tokenised(texts, self.tokeniser, first)
        inputs, mask = pad(
            [np.array(self.vocabulary.encode(tokens[: self.max_length]), dtype=np.int64) for tokens in sentences]
        )
        size = len(sentences)
        targets = torch.zeros(size, dtype=torch.int64)
        return Batch(torch.arange(size), inputs, mask, targets, torch.zeros_like(targets, dtype=torch.bool), count=0)

    def note(self, text: str) -> Note | None:
        return note_of_tokens(self.tokeniser(text), self.vocabulary, self.max_length)

    def to_plain(self) -> dict[str, Plain]:
        targets = self.spec.targets
        return super().to_plain() | {"labels": list(targets.names) if isinstance(targets, Class) else None}
