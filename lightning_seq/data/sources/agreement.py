"""Sentences whose verb agrees with a noun far before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.synthetic import InPairs, Synthetic, different, two_classes
from lightning_seq.data.sources.table import Loaded, Table
from lightning_seq.value_types import Range

CLASSES = ("singular", "plural")
NOUNS = (
    ("key", "keys"), ("door", "doors"), ("cabinet", "cabinets"), ("lamp", "lamps"), ("box", "boxes"), ("man", "men"),
    ("child", "children"), ("house", "houses"), ("tree", "trees"), ("car", "cars"), ("letter", "letters"),
    ("picture", "pictures"),
)  # fmt: skip
"""Each in the singular and in the plural."""
PREPOSITIONS = ("near", "behind", "beside", "above", "under", "before", "opposite", "beyond")
QUALITIES = ("old", "small", "tall", "green", "heavy", "broken", "new", "quiet")

PHRASE = 3
"""Words of a phrase without an adjective: `near the doors`."""


@dataclass(frozen=True)
class Agreement(InPairs, Synthetic):
    """The number of the next verb: `the keys near the old door` … `are` (the task of Linzen et al. 2016, on
    sentences of our own).

    Between the subject and the place of its verb are phrases of three words with a noun of either number, drawn
    independently, and adjectives where `distance` is not a multiple of three. Half of those nouns have the wrong
    number. Every sentence has a partner in the same split that differs in the number of the subject alone: a model that
    has forgotten the second word at the end gives both the same answer, and is right for one of them. (A bag of words
    can still count the nouns.) `task.pooling` is `last` here: a maximum over time would see the second word itself.

    distance: words between the subject and the place of the verb.
    examples: sentences; an odd number counts as one less.

    No pair comes twice, in one split or in two. Raises UserError, too, where there are too few different sentences.
    """

    distance: Annotated[int, Range(6)] = 12
    examples: Annotated[int, Range(20)] = field(default=4000, kw_only=True)

    name = "agreement"

    def __post_init__(self) -> None:
        super().__post_init__()
        phrases, more = divmod(self.distance, PHRASE)
        phrase = len(PREPOSITIONS) * 2 * len(NOUNS)
        possible = 2 * len(NOUNS) * phrase**phrases * comb(phrases, more) * len(QUALITIES) ** more
        self.check_enough(possible, f"sentences of distance {self.distance}", "a larger data.distance")

    def describe(self) -> str:
        return f"agreement ({self.distance})"

    def load(self) -> Loaded[Table]:
        generator, seen = self.generator(), set[object]()
        tables = {}
        for split, size in self.sizes.items():
            tables[split] = two_classes(different(size // 2, seen, lambda: self._pair(generator)), CLASSES)
        return Loaded(tables, CLASSES)

    def _pair(self, generator: np.random.Generator) -> tuple[str, str]:
        """A sentence with its subject in the singular, and the same in the plural."""

        def one(choices: tuple[str, ...]) -> str:
            return choices[generator.integers(len(choices))]

        def noun() -> tuple[str, str]:
            return NOUNS[generator.integers(len(NOUNS))]

        phrases, more = divmod(self.distance, PHRASE)
        described = set(generator.permutation(phrases)[:more].tolist())
        subject, after = noun(), list[str]()
        for phrase in range(phrases):
            quality = [one(QUALITIES)] if phrase in described else []
            after += [one(PREPOSITIONS), "the", *quality, noun()[generator.integers(2)]]
        singular, plural = (" ".join(["the", number, *after]) for number in subject)
        return singular, plural
