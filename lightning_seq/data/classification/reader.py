"""The reader of new text for a classifier, without the data of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lightning_seq.data.note import Note, note_of_tokens
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Class, DataSpec
from lightning_seq.text.padding import pad
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class TextReader:
    """From new text to batches, as in training: all that a checkpoint needs of the data.

    max_length: tokens of a text that are read, or None for all.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    tokeniser: Tokeniser
    max_length: int | None = None

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of all texts; `targets` are 0 and do not count. first: the number of the first one.

        Raises UserError, with its number, for a text that is empty. Unknown words are `<unk>`, as in training.
        """
        if not texts:
            raise UserError("there is no text: expected at least one")
        rows = []
        for number, text in enumerate(texts, first):
            tokens = self.tokeniser(text)[: self.max_length]
            if not tokens:
                raise UserError(f"text {number} is empty: expected at least one word on every line")
            rows.append(np.array(self.vocabulary.encode(tokens), dtype=np.int64))
        inputs, mask = pad(rows)
        size = len(rows)
        return Batch(
            ids=torch.arange(size),
            inputs=inputs,
            mask=mask,
            targets=torch.zeros(size, dtype=torch.int64),
            target_mask=torch.zeros(size, dtype=torch.bool),
            count=0,
        )

    def note(self, text: str) -> Note | None:
        """What is unusual about a text, or None."""
        return note_of_tokens(self.tokeniser(text), self.vocabulary, self.max_length)

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {
            "spec": self.spec.to_plain(),
            "vocabulary": self.vocabulary.to_plain(),
            "tokeniser": self.tokeniser.to_plain(),
            "labels": list(self.spec.targets.names) if isinstance(self.spec.targets, Class) else None,
            "max_length": self.max_length,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> TextReader:
        """The inverse of `to_plain`."""
        return cls(
            DataSpec.from_plain(plain["spec"]),
            Vocabulary.from_plain(plain["vocabulary"]),
            Tokeniser.from_plain(plain["tokeniser"]),
            plain["max_length"],
        )
