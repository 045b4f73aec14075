"""The copying memory problem: symbols to be held over a long silence, and said again."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from lightning_seq.data.sources.synthetic import check_whole, sizes
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.bio_tags import Tag
from lightning_seq.value_types import Seed

BLANK, DELIMITER = "_", ":"


@dataclass(frozen=True)
class CopyMemory:
    """`a c b _ _ _ _ : _ _ _`: after the delimiter the symbols are to be said in their order (Hochreiter & Schmidhuber
    1997; as Arjovsky et al. 2016 have it).

    A sentence is `length` symbols, `distance - 1` blanks, a delimiter, `length` blanks; the tags of the last `length`
    places are the symbols, each `length + distance` steps after it was read. There, and there alone, a tag counts: who
    guesses is right once in `symbols` times, with a loss of log(symbols). (Arjovsky et al. count the silence too, where
    there is nothing to know: their mean loss is this one times length / (distance + 2 · length), for a model that is
    sure of the blanks.)

    length:     symbols to be held.
    distance:   how long the silence is, in steps.
    symbols:    the size of the alphabet, 2 to 26.
    examples:   sentences for training, a tenth as many for validation and for test.
    split_seed: of the symbols; no sentence comes twice, in one split or in two.

    Raises UserError for values out of range, and where there are too few different sentences.
    """

    length: int = 10
    distance: int = 50
    symbols: int = 8
    examples: int = 10000
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_whole(
            self,
            {
                "length": (1, None),
                "distance": (1, None),
                "symbols": (2, None),
                "examples": (10, None),
                "split_seed": (0, None),
            },
        )
        if self.symbols > len(ascii_lowercase):
            raise UserError(f"data.symbols is {self.symbols}, expected at most {len(ascii_lowercase)}, the letters")
        possible, wanted = self.symbols**self.length, sum(sizes(self.examples).values())
        if possible < 2 * wanted:
            raise UserError(
                f"data.examples is {self.examples}, {wanted:,} in all splits, and there are {possible:,} different "
                f"sentences of {self.length} out of {self.symbols} symbols: expected at least twice as many as are "
                "drawn; give fewer examples, or a larger data.length or data.symbols"
            )

    def describe(self) -> str:
        return f"copy_memory ({self.distance})"

    def identity(self) -> Plain:
        return {"synthetic": "copy_memory", **vars(self)}

    def load(self) -> Loaded[TaggedTable]:
        generator = np.random.default_rng(np.random.SeedSequence([self.split_seed]))
        seen: set[bytes] = set()
        tables = {}
        for split, size in sizes(self.examples).items():
            table = TaggedTable([], [], list(range(size)))
            while len(table) < size:
                letters = generator.integers(self.symbols, size=self.length)
                if letters.tobytes() in seen:
                    continue
                seen.add(letters.tobytes())
                words, tags = self._sentence([ascii_lowercase[letter] for letter in letters])
                table.tokens.append(words)
                table.tags.append(tags)
            tables[split] = table
        return Loaded(tables, tuple(ascii_lowercase[: self.symbols]))

    def _sentence(self, symbols: list[str]) -> tuple[list[str], list[Tag]]:
        words = [*symbols, *[BLANK] * (self.distance - 1), DELIMITER, *[BLANK] * self.length]
        return words, [*[None] * (self.length + self.distance), *symbols]
