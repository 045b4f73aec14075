"""Sequences of symbols to be copied or reversed: a task for a memory alone."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.pairs import Link, PairTable, linked_pairs
from lightning_seq.data.sources.synthetic import Letters, Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError
from lightning_seq.value_types import OneOf, Size

ORDERS = ("copy", "reverse")
_TRIES = 50


@dataclass(frozen=True)
class SymbolPairs(Synthetic):
    """Letters drawn at random, a space between them; the target has them in the same order or backwards.

    No sequence comes twice, in one split or in two. The links between letters are known.

    order:   `copy` or `reverse`.
    shortest, longest: letters of a sequence; every length is as likely, as far as there are sequences of it.
    symbols: the size of the alphabet.
    """

    order: Annotated[str, OneOf(ORDERS)] = "reverse"
    shortest: Size = 5
    longest: Size = 15
    symbols: Letters = 20

    name = "symbol_pairs"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest < self.shortest:
            raise UserError(f"data.longest is {self.longest}, expected a whole number of at least {self.shortest}")
        possible = sum(self.symbols**steps for steps in range(self.shortest, min(self.longest, 60) + 1))
        examples = f"sequences of {self.shortest} to {self.longest} out of {self.symbols} symbols"
        self.check_enough(possible, examples, "a larger data.symbols or data.longest")

    def describe(self) -> str:
        return self.order

    def load(self) -> Loaded[PairTable]:
        generator, seen = self.generator(), set[str]()
        tables = {}
        for split, size in self.sizes.items():
            sources = [self._unseen(generator, seen) for _ in range(size)]
            targets = sources if self.order == "copy" else [source[::-1] for source in sources]
            tables[split] = linked_pairs(
                [(source, target, self._links(len(source))) for source, target in zip(sources, targets, strict=True)]
            )
        return Loaded(tables)

    def _unseen(self, generator: np.random.Generator, seen: set[str]) -> str:
        """A sequence that is new; after 50 draws of one length without a new one the length is drawn again."""
        while True:
            steps = int(generator.integers(self.shortest, self.longest + 1))
            for _ in range(_TRIES):
                text = " ".join(ascii_lowercase[number] for number in generator.integers(self.symbols, size=steps))
                if text not in seen:
                    seen.add(text)
                    return text

    def _links(self, length: int) -> list[Link]:
        """One letter with one letter; every second character is a letter."""
        places = range(0, length, 2)
        origins = places if self.order == "copy" else places[::-1]
        return [(target, target + 1, origin, origin + 1) for target, origin in zip(places, origins, strict=True)]
