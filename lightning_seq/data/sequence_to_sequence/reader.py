"""The reader of new text for an encoder-decoder: from text to ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from lightning_seq.data.note import Note, note_of_tokens
from lightning_seq.data.reader import Reader, tokenised
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch
from lightning_seq.text.padding import pad
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import BOS, EOS, PAD, Vocabulary


@dataclass(frozen=True)
class PairReader(Reader):
    """Reads texts as token ids, and token ids as text.

    source, target: from the text of each side to tokens.
    max_length:     tokens of a source at most; None for any number.
    source_eos:     whether `<eos>` ends a source.
    source_language, target_language: of the pairs, where the configuration names them.
    """

    KIND = "sequence_to_sequence"
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
        """Whether `decode` puts a space between all tokens, also before marks: BLEU then needs no tokeniser."""
        return self.target.tokenised

    def tokens(self, text: str) -> list[str]:
        """The tokens of a source in a batch."""
        tokens = self.source(text)[: self.max_length]
        return [*tokens, self.vocabulary.words[EOS]] if self.source_eos else tokens

    def encode(self, texts: Sequence[str], first: int = 1, cut: bool = False) -> Batch:
        """See `Reader.encode`; `targets` are one `<eos>` each.

        Raises UserError for a text that is empty, and, unless `cut` allows it, for one longer than in training.
        """
        sentences = tokenised(texts, self.source, first)
        for number, tokens in enumerate(sentences, first):
            if self.max_length is not None and len(tokens) > self.max_length and not cut:
                raise UserError(
                    f"text {number} has {len(tokens):,} tokens: expected at most {self.max_length:,}, as in training "
                    "(data.max_length): give it in parts, a sentence on a line"
                )
        end = [EOS] if self.source_eos else []
        inputs, mask = _padded([self.vocabulary.encode(tokens[: self.max_length]) + end for tokens in sentences])
        targets = torch.full((len(sentences), 1), EOS)
        counts = torch.zeros_like(targets, dtype=torch.bool)
        return Batch(torch.arange(len(sentences)), inputs, mask, targets, counts, count=0)

    def note(self, text: str) -> Note | None:
        tokens = self.source(text)
        if self.max_length is not None and len(tokens) > self.max_length:
            return Note(f"{len(tokens):,} tokens, expected at most {self.max_length:,} as in training", False)
        return note_of_tokens(tokens, self.vocabulary)

    def encode_targets(self, texts: Sequence[str], first: int = 1) -> tuple[Tensor, Tensor]:
        """Ids `[B, T]` of target texts, each with its `<eos>`, and their mask, for teacher forcing.

        Raises UserError for a text that is empty, with its number.
        """
        sentences = tokenised(texts, self.target, first)
        return _padded([[*self.target_vocabulary.encode(tokens), EOS] for tokens in sentences])

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens up to `<eos>`; `<unk>` for a token that the vocabulary does not hold."""
        words = self.target_vocabulary.words
        return [words[number] for number in takewhile(EOS.__ne__, map(int, ids)) if number not in (PAD, BOS)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids up to `<eos>`."""
        return self.target.join(self.target_tokens(ids))

    def reference(self, text: str) -> str:
        """A target text as `decode` would write it if every token were known, to compare a translation with."""
        return self.target.plain(text)

    def check_target_language(self, language: str | None) -> None:
        """Raises UserError for a language that the model was not trained to write; None is any language."""
        if language is None or language == self.target_language:
            return
        if self.target_language is None:
            raise UserError(
                f"target_language is {language!r}, and the checkpoint does not name the language that it writes: "
                "leave target_language out, or train with data.target_language=…"
            )
        source = f" (from {self.source_language})" if self.source_language else ""
        raise UserError(
            f"target_language is {language!r}, and the checkpoint writes only {self.target_language!r}{source}: "
            f"use target_language={self.target_language}, or a checkpoint that was trained for {language}"
        )


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    return pad([np.array(row, dtype=np.int64) for row in rows])
