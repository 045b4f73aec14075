"""Sequences of symbols to be copied, or told backwards: what a memory alone has to hold."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from lightning_seq.data.sources.pairs import Link, PairTable
from lightning_seq.data.sources.synthetic import check_whole, sizes
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

ORDERS = ("copy", "reverse")
_TRIES = 50


@dataclass(frozen=True)
class SymbolPairs:
    """Letters drawn at random, a space between them; the target has them in the same order or backwards.

    No sequence comes twice, in one split or in two. Which letter comes from which is known.

    order:      `copy` or `reverse`.
    shortest, longest: letters of a sequence; every length is as likely, as far as there are sequences of it.
    symbols:    the size of the alphabet, 2 to 26.
    examples:   sequences for training, a tenth as many for validation and for test.
    split_seed: of the letters.
    """

    order: str = "reverse"
    shortest: int = 5
    longest: int = 15
    symbols: int = 20
    examples: int = 10000
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise UserError(f"data.order is {self.order!r}; {near(str(self.order), ORDERS)}")
        check_whole(
            self,
            {
                "shortest": (1, None),
                "longest": (self.shortest, None),
                "symbols": (2, len(ascii_lowercase)),
                "examples": (10, None),
                "split_seed": (0, None),
            },
        )
        there = sum(self.symbols**steps for steps in range(self.shortest, min(self.longest, 60) + 1))
        wanted = sum(sizes(self.examples).values())
        if there < 2 * wanted:
            raise UserError(
                f"data.symbols={self.symbols} data.shortest={self.shortest} data.longest={self.longest}: there are "
                f"{there:,} such sequences, expected at least {2 * wanted:,} for {wanted:,} examples without "
                "repetition; give more symbols, longer sequences, or fewer data.examples"
            )

    def describe(self) -> str:
        return self.order

    def identity(self) -> Plain:
        return {"synthetic": "symbol_pairs", **vars(self)}

    def load(self) -> Loaded[PairTable]:
        generator = np.random.default_rng(np.random.SeedSequence([self.split_seed]))
        seen: set[str] = set()
        tables = {}
        for split, size in sizes(self.examples).items():
            links_of: list[list[Link]] = []
            table = PairTable([], [], list(range(size)), links_of)
            while len(table) < size:
                source = self._unseen(generator, seen)
                table.sources.append(source)
                table.targets.append(source if self.order == "copy" else source[::-1])
                links_of.append(self._links(len(source)))
            tables[split] = table
        return Loaded(tables)

    def _unseen(self, generator: np.random.Generator, seen: set[str]) -> str:
        """A sequence that has not been drawn before; another length where one seems to be used up."""
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
