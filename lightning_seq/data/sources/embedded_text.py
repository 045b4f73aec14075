"""Running text without a network: verses, and the word `hello`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from lightning_seq.data.sources.corpus import Corpus, gathered
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.sources.verses import edition, verses
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

BLOCK = 10
"""Successive chapters in the same split."""


@dataclass(frozen=True)
class VersesText:
    """The Bible as running text, a verse a line.

    It is cut into blocks of ten chapters: about 80 % of the blocks are for training, 10 % for validation, 10 % for
    test, each in the order of the Bible.

    version:    `kjv` or `web`.
    split_seed: of the blocks of each split; the same for both versions.
    """

    version: str = "kjv"
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def describe(self) -> str:
        return f"verses ({self.version})"

    def identity(self) -> Plain:
        return {"text": "verses", "edition": edition(self.version), "split_seed": self.split_seed, "block": BLOCK}

    def load(self) -> Corpus:
        chapters: dict[tuple[int, int], list[str]] = {}
        for verse in verses(self.version):
            chapters.setdefault((verse.book, verse.chapter), []).append(f"{verse.text}\n")
        every = list(chapters.values())
        blocks = [list(chain(*every[start : start + BLOCK])) for start in range(0, len(every), BLOCK)]
        return Corpus(gathered(blocks, self.split_seed), revision=edition(self.version))


@dataclass(frozen=True)
class Hello:
    """The word `hello`, the lecture's example: after `hell` comes `ello`. All three splits are the same.

    Its four letters have the ids h 0, e 1, l 2, o 3, without special symbols.
    """

    def describe(self) -> str:
        return "hello"

    def identity(self) -> Plain:
        return {"text": "hello"}

    def load(self) -> Corpus:
        return Corpus({split: ["hello"] for split in SPLITS}, symbols=("h", "e", "l", "o"))
