"""Sentences that only the order of their words tells apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_seq.data.sources.synthetic import InPairs, different, two_classes
from lightning_seq.data.sources.table import Loaded, Table
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

CLASSES = ("person", "animal")
PAIRS = {"train": 2000, "validation": 250, "test": 250}

PEOPLE = (
    "king", "queen", "priest", "farmer", "soldier", "child", "sailor", "widow", "baker", "singer", "hunter", "judge",
)  # fmt: skip
ANIMALS = ("lion", "wolf", "bear", "horse", "raven", "snake", "goat", "camel", "fox", "eagle", "dog", "ox")
VERBS = ("sees", "follows", "fears", "hears", "meets", "finds", "leads", "helps", "leaves", "calls")
QUALITIES = ("old", "young", "tired", "hungry", "brave", "quiet", "tall", "lame", "lost", "proud")
MANNERS = ("often", "never", "soon", "again", "always", "seldom")
PLACES = ("in the field", "by the river", "on the road", "at the gate", "near the hill")


@dataclass(frozen=True)
class WordOrder(InPairs):
    """Who acts, a person or an animal: `the old king often fears the wolf`, `the old wolf often fears the king`.

    Every sentence has such a partner in its split, with the same words in another order and the other class: a model
    that does not see the order (a bag of embeddings) gives both the same answer and is right about one of the two.

    split_seed: of the words; no pair comes twice, in one split or in two.
    """

    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def describe(self) -> str:
        return "word_order"

    def identity(self) -> Plain:
        return {"synthetic": "word_order", "split_seed": self.split_seed}

    def load(self) -> Loaded[Table]:
        generator = np.random.default_rng(np.random.SeedSequence([self.split_seed]))
        seen = set[object]()
        tables = {}
        for split, pairs in PAIRS.items():
            tables[split] = two_classes(different(pairs, seen, lambda: _pair(generator)), CLASSES)
        return Loaded(tables, CLASSES)


def _pair(generator: np.random.Generator) -> tuple[str, str]:
    """A sentence in which a person acts, and the same with person and animal exchanged."""

    def one(choices: tuple[str, ...], share: float = 1.0) -> str:
        return choices[generator.integers(len(choices))] if generator.random() < share else ""

    person, animal, verb = one(PEOPLE), one(ANIMALS), one(VERBS)
    qualities, manner, place = [one(QUALITIES, 0.5), one(QUALITIES, 0.5)], one(MANNERS, 0.5), one(PLACES, 0.5)
    front, back = (place, "") if generator.random() < 0.5 else ("", place)

    def sentence(acting: str, other: str) -> str:
        words = [front, "the", qualities[0], acting, manner, verb, "the", qualities[1], other, back]
        return " ".join(word for word in words if word)

    return sentence(person, animal), sentence(animal, person)
