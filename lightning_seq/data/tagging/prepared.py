"""Tagged sentences as numbers, ready for batches: what `prepare_tags` has made and found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings
from lightning_seq.data.token_arrays import opened, read_words, reading
from lightning_seq.spec import NOT_COUNTED, DataSpec, Tags
from lightning_seq.text.vocabulary import UNK, Vocabulary


@dataclass(frozen=True)
class TaggedSplit:
    """The sentences of one split, as flat arrays; sentence i is `[offsets[i]:offsets[i + 1]]` of them, never empty.

    flat:    `[tokens]` int32, the number of each token's spelling.
    offsets: `[N + 1]` int64.
    tags:    `[tokens]` int32, -1 where a token does not count.
    ids:     `[N]` int64, what the source calls each sentence.
    intents: `[N]` int64, -1 where one does not count, or where the set has none.
    """

    flat: np.ndarray
    offsets: np.ndarray
    tags: np.ndarray
    ids: np.ndarray
    intents: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @cached_property
    def counts(self) -> np.ndarray:
        """`[N]`, tokens that count."""
        return np.add.reduceat((self.tags != NOT_COUNTED).astype(np.int64), self.offsets[:-1])


@dataclass(frozen=True)
class PreparedTags:
    """A data set ready for batches.

    spec:         Tokens to Tags.
    vocabulary:   of the train split alone, cut by min count and size.
    characters:   of the train split, by id; `<pad> <unk>` first.
    intents:      of the train split, by name; empty where the set has none.
    scheme:       of the tags: `bio`, `ioe1`, `ioe2`, `iobes`, `bilou`, or `none` for tags that mark no spans.
    own_scheme:   of the source's tags: the same, or `iob1`, which is read as `bio`.
    spellings:    every different token of all splits, as numbers.
    splits:       by name: train, validation, test.
    fingerprints: `data` (tokens, tags and everything done to them) and `split` (which sentence is where).
    report:       a line each on what was left out, cut short, or done that the user may not expect.
    name:         for people.
    revision:     of a public set, where it has one.
    directory:    in the cache.
    origins:      by split, the file, or the split of a public set, that holds the sentences; empty without files.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    characters: tuple[str, ...]
    intents: tuple[str, ...]
    scheme: str
    own_scheme: str
    settings: TagSettings
    spellings: Spellings
    splits: dict[str, TaggedSplit]
    fingerprints: dict[str, str]
    report: tuple[str, ...]
    name: str
    revision: str | None
    directory: Path
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> tuple[str, ...]:
        targets = self.spec.targets
        return targets.names if isinstance(targets, Tags) else ()

    @cached_property
    def _written(self) -> np.ndarray:
        """Every different token, as it is written."""
        with reading(self.directory):
            return read_words(self.directory / "spellings.json")

    def tokens(self, split: str, row: int) -> list[str]:
        """The sentence number `row` of a split as the source writes it, as far as batches hold it."""
        found = self.splits[split]
        return self._written[found.flat[found.offsets[row] : found.offsets[row + 1]]].tolist()

    def train_sentences(self) -> Iterator[list[str]]:
        """The words of the train split's sentences, whole and with all their words, for training word vectors."""
        words = np.array([self.settings.form(token) for token in self._written], dtype=object)
        with reading(self.directory):
            flat, offsets = (opened(self.directory, f"corpus_{part}") for part in ("flat", "offsets"))
        for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            yield words[flat[start:stop]].tolist()


def unknown_share(prepared: PreparedTags, split: str) -> float:
    """The part of a split's tokens that the vocabulary does not hold."""
    return float((prepared.spellings.words[prepared.splits[split].flat] == UNK).mean())
