"""Sentences whose verb agrees with a noun far before it."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from lightning_seq.data.sources.synthetic import check_whole, sizes
from lightning_seq.data.sources.table import Loaded, Table
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

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
class Agreement:
    """What number the verb has that comes next: `the keys near the old door` … `are` (the task of Linzen et al. 2016,
    on sentences of our own).

    There are `distance` words between the subject and the place of its verb: phrases of three words with a noun of
    either number, drawn independently, and adjectives where `distance` is not a multiple of three. Half of those nouns
    have the wrong number. Every sentence has a partner in the same split that differs in the number of the subject
    alone: a model that has forgotten the second word at the end gives both the same answer, and is right for one of
    them. (A bag of words can still count the nouns.) A maximum over time would look back at the second word itself:
    `task.pooling` is `last` here.

    distance:   words between the subject and the place of the verb.
    examples:   sentences for training, a tenth as many for validation and for test; odd numbers are one less.
    split_seed: of the words; no pair comes twice, in one split or in two.

    Raises UserError for values out of range, and where there are too few different sentences.
    """

    distance: int = 12
    examples: int = 4000
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_whole(self, {"distance": (2 * PHRASE, None), "examples": (20, None), "split_seed": (0, None)})
        phrases, more = divmod(self.distance, PHRASE)
        phrase = len(PREPOSITIONS) * 2 * len(NOUNS)
        possible = 2 * len(NOUNS) * phrase**phrases * comb(phrases, more) * len(QUALITIES) ** more
        wanted = sum(sizes(self.examples).values())
        if possible < 2 * wanted:
            raise UserError(
                f"data.examples is {self.examples}, {wanted:,} in all splits, and there are {possible:,} different "
                f"sentences of distance {self.distance}: expected at least twice as many as are drawn; give fewer "
                "examples, or a larger data.distance"
            )

    def describe(self) -> str:
        return f"agreement ({self.distance})"

    def identity(self) -> Plain:
        return {"synthetic": "agreement", **vars(self)}

    def load(self) -> Loaded[Table]:
        generator = np.random.default_rng(np.random.SeedSequence([self.split_seed]))
        seen: set[str] = set()
        tables = {}
        for split, size in sizes(self.examples).items():
            table = Table([], [], [])
            while len(table) < size // 2 * 2:
                texts = self._pair(generator)
                if texts[0] in seen:
                    continue
                seen.add(texts[0])
                table.texts.extend(texts)
                table.labels.extend(CLASSES)
                table.ids.extend(range(len(table.ids), len(table.ids) + 2))
            tables[split] = table
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
