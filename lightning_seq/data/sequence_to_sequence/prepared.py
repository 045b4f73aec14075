"""Pairs of texts as ids, ready for batches: what `prepare_pairs` has made and found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lightning_seq.data.kept_texts import KeptTexts
from lightning_seq.data.sequence_to_sequence.settings import SIDES, PairSettings
from lightning_seq.data.token_arrays import LONGEST_SENTENCE, read_corpus, reading
from lightning_seq.spec import DataSpec
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import EOS, UNK, Vocabulary


@dataclass(frozen=True)
class SideSplit:
    """One side of the pairs of one split, as one flat array; text i is `flat[offsets[i]:offsets[i + 1]]`.

    flat:    `[tokens]` int32 ids, `<eos>` among them where texts end with it.
    offsets: `[N + 1]` int64.
    """

    flat: np.ndarray
    offsets: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


@dataclass(frozen=True)
class PairSplit:
    """The pairs of one split.

    ids:          `[N]` int64, what the source calls each.
    links:        `[L, 2]` int32, tokens (target, source) that belong together, pair after pair; None where nobody
                  knows.
    link_offsets: `[N + 1]` int64.
    """

    source: SideSplit
    target: SideSplit
    ids: np.ndarray
    links: np.ndarray | None = None
    link_offsets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class PreparedPairs:
    """A data set ready for batches.

    spec:         Tokens to TokenSequence.
    vocabulary, target_vocabulary: of the train split alone; the same one where they are joint.
    source, target: how each side's text becomes tokens.
    splits:       by name: train, validation, test.
    fingerprints: `data` (texts and everything done to them) and `split` (which pair is where).
    report:       a line each on what was left out, cut short, or done that the user may not expect.
    name:         for people.
    revision:     of a public set, where it has one.
    directory:    in the cache.
    origins:      by split, the file, or the split of a public set, that holds the pairs; empty without files.
    languages:    of the sources and of the targets; None where they are unknown.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    source: Segmenter
    target: Segmenter
    settings: PairSettings
    splits: dict[str, PairSplit]
    fingerprints: dict[str, str]
    report: tuple[str, ...]
    name: str
    revision: str | None
    directory: Path
    origins: dict[str, str] = field(default_factory=dict)
    languages: tuple[str | None, str | None] = (None, None)

    @property
    def aligned(self) -> bool:
        """Whether it is known which tokens of a target come from which of its source."""
        return self.splits["train"].links is not None

    def text(self, split: str, side: str, row: int) -> str:
        """The text of pair `row` of a split as the source has it. side: `source` or `target`."""
        if (split, side) not in self._opened:
            with reading(self.directory):
                self._opened[split, side] = KeptTexts(self.directory, f"{split}_{side}_text")
        return self._opened[split, side][row]

    @cached_property
    def _opened(self) -> dict[tuple[str, str], KeptTexts]:
        return {}

    def train_sentences(self, side: str = "source") -> Iterator[list[str]]:
        """The tokens of the train split's texts, whole and with all their words, for training word vectors.

        With a joint vocabulary those of both sides, whichever is asked for. Long texts come in parts.
        """
        for each in SIDES if self.settings.joint_vocabulary else (side,):
            yield from read_corpus(self.directory, f"{each}_", LONGEST_SENTENCE)


def unknown_share(split: SideSplit) -> float:
    """The part of a side's tokens, `<eos>` not counted, that the vocabulary does not hold."""
    ordinary = split.flat != EOS
    return float((split.flat[ordinary] == UNK).mean())
