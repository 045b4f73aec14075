"""Tagged sentences as numbers, ready for batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lightning_seq.data.cache import PreparedData
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings
from lightning_seq.data.token_arrays import Ragged, read_arrays, read_words, reading
from lightning_seq.spec import NOT_COUNTED, Tags
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class TaggedSplit(Ragged):
    """The sentences of one split; `flat` holds the number of each token's spelling.

    tags:    `[tokens]` int32, -1 where a token does not count.
    ids:     `[N]` int64, the source's number of each sentence.
    intents: `[N]` int64, -1 where an intent does not count, and in a set without intents.
    """

    tags: np.ndarray
    ids: np.ndarray
    intents: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """`[N]`, tokens that count."""
        return np.add.reduceat((self.tags != NOT_COUNTED).astype(np.int64), self.offsets[:-1])


@dataclass(frozen=True, kw_only=True)
class PreparedTags(PreparedData[TaggedSplit]):
    """Tagged sentences, ready for batches. spec: Tokens to Tags.

    vocabulary: of the train split alone, cut by min count and size.
    characters: of the train split, by id; `<pad> <unk>` first.
    intents:    of the train split, by name; empty in a set without intents.
    scheme:     of the tags: `bio`, `ioe1`, `ioe2`, `iobes`, `bilou`, or `none` for tags that mark no spans.
    own_scheme: of the source's tags: the same, or `iob1`, which is read as `bio`.
    spellings:  every different token of all splits, as numbers.
    """

    vocabulary: Vocabulary
    characters: tuple[str, ...]
    intents: tuple[str, ...]
    scheme: str
    own_scheme: str
    settings: TagSettings
    spellings: Spellings

    @property
    def tags(self) -> tuple[str, ...]:
        return self.spec.targets_as(Tags).names

    @cached_property
    def _written(self) -> np.ndarray:
        """Every different token, as the source writes it."""
        with reading(self.directory):
            return read_words(self.directory / "spellings.json")

    def tokens(self, split: str, row: int) -> list[str]:
        """The sentence number `row` of a split as the source writes it, as far as batches hold it."""
        sentences = self.splits[split]
        return self._written[sentences.flat[sentences.offsets[row] : sentences.offsets[row + 1]]].tolist()

    def train_sentences(self) -> Iterator[list[str]]:
        words = np.array([self.settings.form(token) for token in self._written], dtype=object)
        with reading(self.directory):
            flat, offsets = read_arrays(self.directory, "corpus", "flat", "offsets")
        for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            yield words[flat[start:stop]].tolist()
