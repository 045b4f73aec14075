"""Pairs of texts that a test gives by hand, or draws, in the place of a source."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lightning_seq.data.sources.pairs import Link, PairTable
from lightning_seq.data.sources.table import Loaded
from lightning_seq.files import Plain

Row = tuple[str, str]


@dataclass
class Given:
    """A source that is handed its pairs, and counts how often it is read."""

    train: list[Row]
    validation: list[Row] = field(default_factory=lambda: [("a b", "B A")])
    test: list[Row] = field(default_factory=lambda: [("b new", "Unheard B .")])
    links: dict[str, list[list[Link]]] | None = None
    reads: int = 0

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return {"rows": [self.train, self.validation, self.test], "aligned": self.links is not None}

    def load(self) -> Loaded[PairTable]:
        self.reads += 1
        return Loaded(
            {
                split: PairTable(
                    [source for source, _ in rows],
                    [target for _, target in rows],
                    list(range(100, 100 + len(rows))),
                    self.links[split] if self.links else None,
                )
                for split in ("train", "validation", "test")
                for rows in [getattr(self, split)]
            },
            notes=["a note"],
        )


WORDS = ["Cat", "dog", "mat,", "don't", "sees", "Élan", "7"]


def pairs(size: int, seed: int) -> list[Row]:
    generator = np.random.default_rng(seed)
    return [
        (" ".join(generator.choice(WORDS, 1 + row % 9)), " ".join(generator.choice(WORDS, 1 + row % 7)))
        for row in range(size)
    ]


def words(text: str) -> list[str]:
    return text.lower().replace(",", " ,").split()
