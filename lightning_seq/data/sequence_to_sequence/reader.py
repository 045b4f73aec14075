"""The reader of new text that goes into the checkpoint of an encoder-decoder: from text to ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_seq.data.note import Note, note_of_tokens
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, DataSpec
from lightning_seq.text.padding import pad
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import BOS, EOS, PAD, Vocabulary

KIND = "sequence_to_sequence"


@dataclass(frozen=True)
class PairReader:
    """From new text to batches, as in training, and from ids to text: all that a checkpoint needs of the data.

    source, target: how each side's text becomes tokens.
    max_length:     tokens of a source at most; None for any number.
    source_eos:     whether `<eos>` ends a source.
    source_language, target_language: what the pairs were of, where the configuration says so.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    source: Segmenter
    target: Segmenter
    max_length: int | None = None
    source_eos: bool = False
    source_language: str | None = None
    target_language: str | None = None

    @property
    def tokenized(self) -> bool:
        """Whether `decode` puts a space between tokens, marks too: BLEU is then to be taken of tokens as they are."""
        return self.target.tokenised

    @property
    def lower(self) -> bool:
        """Whether `decode` writes small letters alone."""
        return self.target.lower

    def tokens(self, text: str) -> list[str]:
        """What a batch has of a source, piece by piece, as far as it goes."""
        found = self.source(text)[: self.max_length]
        return [*found, self.vocabulary.words[EOS]] if self.source_eos else found

    def encode(self, texts: Sequence[str], cut: bool = False, first: int = 1) -> Batch:
        """One batch of all texts; `targets` are one `<eos>` each and do not count.

        Raises UserError, with its number (that of the first is `first`), for a text that is empty or, unless it may be
        `cut`, longer than the model was trained for.
        """
        sentences = self._sentences(texts, self.source, first)
        for number, tokens in enumerate(sentences, first):
            if self.max_length is not None and len(tokens) > self.max_length and not cut:
                raise UserError(
                    f"text {number} has {len(tokens):,} tokens: expected at most {self.max_length:,}, as in training "
                    "(data.max_length): give it in parts, a sentence on a line"
                )
        end = [EOS] if self.source_eos else []
        inputs, mask = _padded([self.vocabulary.encode(tokens[: self.max_length]) + end for tokens in sentences])
        targets = torch.full((len(sentences), 1), EOS)
        return Batch(
            ids=torch.arange(len(sentences)),
            inputs=inputs,
            mask=mask,
            targets=targets,
            target_mask=torch.zeros_like(targets, dtype=torch.bool),
            count=0,
        )

    def note(self, text: str) -> Note | None:
        """What is unusual about a source, or None."""
        tokens = self.source(text)
        if self.max_length is not None and len(tokens) > self.max_length:
            return Note(f"{len(tokens):,} tokens, expected at most {self.max_length:,} as in training", False)
        return note_of_tokens(tokens, self.vocabulary)

    def encode_targets(self, texts: Sequence[str], first: int = 1) -> tuple[Tensor, Tensor]:
        """Ids `[B, T]` of target texts, each with its `<eos>`, and their mask: what a forced decoding follows.

        Raises UserError for a text that is empty, with its number.
        """
        sentences = self._sentences(texts, self.target, first)
        return _padded([[*self.target_vocabulary.encode(tokens), EOS] for tokens in sentences])

    def _sentences(self, texts: Sequence[str], segmenter: Segmenter, first: int) -> list[list[str]]:
        if not texts:
            raise UserError("there is no text: expected at least one")
        sentences = [segmenter(text) for text in texts]
        for number, tokens in enumerate(sentences, first):
            if not any(map(str.strip, tokens)):
                raise UserError(f"text {number} is empty: expected at least one word on every line")
        return sentences

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens up to `<eos>`; `<unk>` for a token that the vocabulary does not hold."""
        words, found = self.target_vocabulary.words, []
        for number in map(int, ids):
            if number == EOS:
                break
            if number not in (PAD, BOS):
                found.append(words[number])
        return found

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids up to `<eos>`."""
        return self.target.join(self.target_tokens(ids))

    def reference(self, text: str) -> str:
        """A target text as `decode` would give it if every token were known: what a translation is compared with."""
        return self.target.plain(text)

    def check_target_language(self, language: str | None) -> None:
        """Raises UserError for a language that this is not trained to write; None asks for none."""
        if language is None or language == self.target_language:
            return
        if self.target_language is None:
            raise UserError(
                f"target_language is {language!r}, and the checkpoint does not say which language it writes: "
                "leave target_language out, or train with data.target_language=…"
            )
        source = f" (from {self.source_language})" if self.source_language else ""
        raise UserError(
            f"target_language is {language!r}, and the checkpoint knows {self.target_language!r} alone{source}: "
            f"use target_language={self.target_language}, or a checkpoint that was trained for {language}"
        )

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {
            "kind": KIND,
            "spec": self.spec.to_plain(),
            "vocabulary": self.vocabulary.to_plain(),
            "target_vocabulary": self.target_vocabulary.to_plain(),
            "source": self.source.to_plain(),
            "target": self.target.to_plain(),
            "max_length": self.max_length,
            "source_eos": self.source_eos,
            "source_language": self.source_language,
            "target_language": self.target_language,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> PairReader:
        """The inverse of `to_plain`."""
        return cls(
            DataSpec.from_plain(plain["spec"]),
            Vocabulary.from_plain(plain["vocabulary"]),
            Vocabulary.from_plain(plain["target_vocabulary"]),
            Segmenter.from_plain(plain["source"]),
            Segmenter.from_plain(plain["target"]),
            plain["max_length"],
            plain["source_eos"],
            plain["source_language"],
            plain["target_language"],
        )


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    return pad([np.array(row, dtype=np.int64) for row in rows])
