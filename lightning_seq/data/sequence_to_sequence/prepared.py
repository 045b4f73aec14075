"""Pairs of texts as ids, ready for batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lightning_seq.data.cache import PreparedData
from lightning_seq.data.kept_texts import KeptTexts
from lightning_seq.data.sequence_to_sequence.settings import SIDES, PairSettings
from lightning_seq.data.token_arrays import LONGEST_SENTENCE, Ragged, read_corpus, reading
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class PairSplit:
    """The pairs of one split.

    source, target: ids, `<eos>` among them where texts end with it.
    ids:            `[N]` int64, the source's number of each.
    links:          `[L, 2]` int32, tokens (target, source) that belong together, pair after pair; None if unknown.
    link_offsets:   `[N + 1]` int64.
    """

    source: Ragged
    target: Ragged
    ids: np.ndarray
    links: np.ndarray | None = None
    link_offsets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class PreparedPairs(PreparedData[PairSplit]):
    """Pairs of texts, ready for batches. spec: Tokens to TokenSequence.

    vocabulary, target_vocabulary: of the train split alone; one object for both sides if they are joint.
    source, target: from the text of each side to tokens.
    languages:      of the sources and of the targets; None if unknown.
    """

    vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    source: Segmenter
    target: Segmenter
    settings: PairSettings
    languages: tuple[str | None, str | None] = (None, None)

    @property
    def aligned(self) -> bool:
        """Whether the links between the tokens of sources and targets are known."""
        return self.splits["train"].links is not None

    def text(self, split: str, side: str, row: int) -> str:
        """The text of pair `row` of a split as the source has it. side: `source` or `target`."""
        return self._texts[split, side][row]

    @cached_property
    def _texts(self) -> dict[tuple[str, str], KeptTexts]:
        pairs = [(split, side) for split in self.splits for side in SIDES]
        with reading(self.directory):
            return {(split, side): KeptTexts(self.directory, f"{split}_{side}_text") for split, side in pairs}

    def train_sentences(self, side: str = "source") -> Iterator[list[str]]:
        """The tokens of the train split's texts, whole and with all their words, for training word vectors.

        With a joint vocabulary the texts of both sides. Long texts come in parts.
        """
        for name in SIDES if self.settings.joint_vocabulary else (side,):
            yield from read_corpus(self.directory, f"{name}_", LONGEST_SENTENCE)
