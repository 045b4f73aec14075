"""A task that nothing can do that does not look ahead."""

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

TAGS = ("first half", "second half")


@dataclass(frozen=True)
class LookAhead:
    """Letters drawn at random; the tag of one says in which half of the alphabet the letter `distance` later is.

    The last `distance` letters of a sentence have no tag and do not count. So whatever reads from left to right alone
    is right half of the time, however long it trains: what it has read says nothing of what comes.

    length:     letters of a sentence at most; at least half as many, and more than `distance`.
    symbols:    the size of the alphabet, even, 2 to 26.
    examples:   sentences for training, a tenth as many for validation and for test.
    split_seed: of the letters.
    """

    length: int = 20
    distance: int = 3
    symbols: int = 8
    examples: int = 4000
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_whole(
            self,
            {
                "distance": (1, None),
                "length": (self.distance + 1, None),
                "symbols": (2, len(ascii_lowercase)),
                "examples": (10, None),
                "split_seed": (0, None),
            },
        )
        if self.symbols % 2:
            raise UserError(f"data.symbols is {self.symbols}, expected an even number: two halves of equal size")

    def describe(self) -> str:
        return f"look_ahead ({self.distance})"

    def identity(self) -> Plain:
        return {"synthetic": "look_ahead", **vars(self)}

    def load(self) -> Loaded[TaggedTable]:
        tables = {}
        for stream, (split, size) in enumerate(sizes(self.examples).items()):
            generator = np.random.default_rng(np.random.SeedSequence([self.split_seed, stream]))
            least = max(-(-self.length // 2), self.distance + 1)
            found = [
                self._sentence(generator.integers(self.symbols, size=steps))
                for steps in generator.integers(least, self.length + 1, size=size)
            ]
            tables[split] = TaggedTable([words for words, _ in found], [tags for _, tags in found], list(range(size)))
        return Loaded(tables, TAGS)

    def _sentence(self, letters: np.ndarray) -> tuple[list[str], list[Tag]]:
        decided = [TAGS[2 * int(letter) // self.symbols] for letter in letters[self.distance :]]
        return [ascii_lowercase[letter] for letter in letters], [*decided, *[None] * self.distance]
