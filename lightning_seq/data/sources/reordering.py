"""A made-up language with another order of words: the links between the words of both languages are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.pairs import Link, PairTable, linked_pairs
from lightning_seq.data.sources.synthetic import Synthetic, different
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.word_order import ANIMALS, MANNERS, PEOPLE, PLACES, QUALITIES, VERBS
from lightning_seq.value_types import Range

PARTICLES = ("ta", "ke", "lo", "mi")
Words = list[tuple[str, tuple[int, ...]]]
"""Words of the made-up language, each with the positions of the English words it comes from."""


@dataclass(frozen=True)
class Reordering(Synthetic):
    """English sentences such as `the old king often fears the wolf near the hill` and their translation into a made-up
    language. No sentence comes twice, in one split or in two; the language is always the same.

        where | particle of the verb | whom | who | how | verb

    The verb is at the end and its particle before everything it governs, so that one English word becomes two that are
    far apart; the object comes before the subject; an adjective follows its noun; of `near the hill` `hill` comes
    first; the `the` of the subject is an `n` at the end of the noun, which so comes from two words, and every other
    `the` is left out. So links cross, and are one to many, many to one, and to nothing.
    """

    examples: Annotated[int, Range(10, 1_000_000)] = field(default=10000, kw_only=True)

    name = "reordering"

    def load(self) -> Loaded[PairTable]:
        generator, lexicon, seen = self.generator(), _lexicon(), set[object]()

        def draw() -> tuple[str, str, list[Link]]:
            words, target = _sentence(generator, lexicon)
            return " ".join(words), " ".join(word for word, _ in target), _links(words, target)

        return Loaded({split: linked_pairs(different(size, seen, draw)) for split, size in self.sizes.items()})


def _lexicon() -> dict[str, str]:
    """A word of two or three syllables for every English word; always the same, no two alike."""
    syllables = ["".join(pair) for pair in product("bdfgklmnprstv", "aeiou")]
    generator, lexicon = np.random.default_rng(0), dict[str, str]()
    places = [word for place in PLACES for word in place.split() if word != "the"]
    taken = set(PARTICLES)
    for word in dict.fromkeys([*PEOPLE, *ANIMALS, *VERBS, *QUALITIES, *MANNERS, *places]):
        while True:
            made = "".join(generator.choice(syllables, generator.integers(2, 4)))
            if made not in taken:
                taken.add(made)
                lexicon[word] = made
                break
    return lexicon


def _sentence(generator: np.random.Generator, lexicon: dict[str, str]) -> tuple[list[str], Words]:
    def one(choices: tuple[str, ...], share: float = 1.0) -> str:
        return choices[generator.integers(len(choices))] if generator.random() < share else ""

    def named(nouns: tuple[str, ...]) -> list[str]:
        return [word for word in ("the", one(QUALITIES, 0.5), one(nouns)) if word]

    kinds = (PEOPLE, ANIMALS) if generator.random() < 0.5 else (ANIMALS, PEOPLE)
    who, how, verb, whom = named(kinds[0]), one(MANNERS, 0.5), one(VERBS), named(kinds[1])
    where = one(PLACES, 0.5).split()
    parts = (who, [how] if how else [], [verb], whom, where)
    ends = np.cumsum([0, *map(len, parts)]).tolist()
    of_who, of_how, of_verb, of_whom, of_where = (range(*span) for span in pairwise(ends))

    target: Words = []
    if where:
        target += [(lexicon[where[-1]], (of_where[-1],)), (lexicon[where[0]], (of_where[0],))]
    target.append((PARTICLES[VERBS.index(verb) % len(PARTICLES)], (of_verb[0],)))
    target.append((lexicon[whom[-1]], (of_whom[-1],)))
    target += [(lexicon[quality], (of_whom[1],)) for quality in whom[1:-1]]
    target.append((lexicon[who[-1]] + "n", (of_who[0], of_who[-1])))
    target += [(lexicon[quality], (of_who[1],)) for quality in who[1:-1]]
    if how:
        target.append((lexicon[how], (of_how[0],)))
    target.append((lexicon[verb], (of_verb[0],)))
    return [word for part in parts for word in part], target


def _links(words: list[str], target: Words) -> list[Link]:
    begins = _begins(words)
    places = _begins([word for word, _ in target])
    return [
        (place, place + len(word), begins[origin], begins[origin] + len(words[origin]))
        for place, (word, origins) in zip(places, target, strict=True)
        for origin in origins
    ]


def _begins(words: list[str]) -> list[int]:
    """The first character of each word, with one space between words."""
    return np.cumsum([0, *(len(word) + 1 for word in words[:-1])]).tolist()
