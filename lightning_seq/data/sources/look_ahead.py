"""A task for which a network has to look ahead."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import ascii_lowercase

import numpy as np

from lightning_seq.data.sources.synthetic import Examples, Letters, Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.errors import UserError
from lightning_seq.text.bio_tags import Tag
from lightning_seq.value_types import Size

TAGS = ("first half", "second half")


@dataclass(frozen=True)
class LookAhead(Synthetic):
    """Letters drawn at random; the tag of a letter is the half of the alphabet that the letter `distance` later is in.

    The last `distance` letters of a sentence have no tag and do not count. A model that reads from left to right alone
    is right half of the time: the letters that it has read say nothing of those that come.

    length:  letters of a sentence at most; at least half as many, and more than `distance`.
    symbols: the size of the alphabet, an even number.
    """

    length: Size = 20
    distance: Size = 3
    symbols: Letters = 8
    examples: Examples = field(default=4000, kw_only=True)

    name = "look_ahead"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length <= self.distance:
            raise UserError(f"data.length is {self.length}, expected a whole number of at least {self.distance + 1}")
        if self.symbols % 2:
            raise UserError(f"data.symbols is {self.symbols}, expected an even number: two halves of equal size")

    def describe(self) -> str:
        return f"look_ahead ({self.distance})"

    def load(self) -> Loaded[TaggedTable]:
        tables = {}
        least = max(-(-self.length // 2), self.distance + 1)
        for stream, (split, size) in enumerate(self.sizes.items()):
            generator = self.generator(stream)
            sentences = [
                self._sentence(generator.integers(self.symbols, size=steps))
                for steps in generator.integers(least, self.length + 1, size=size)
            ]
            words, tags = ([*column] for column in zip(*sentences, strict=True))
            tables[split] = TaggedTable(words, tags, list(range(size)))
        return Loaded(tables, TAGS)

    def _sentence(self, letters: np.ndarray) -> tuple[list[str], list[Tag]]:
        decided = [TAGS[2 * int(letter) // self.symbols] for letter in letters[self.distance :]]
        return [ascii_lowercase[letter] for letter in letters], [*decided, *[None] * self.distance]
