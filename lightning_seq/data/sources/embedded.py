"""Data sets that need no network: they come with installed packages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_seq.data.sources.table import SPLITS, Loaded, Table
from lightning_seq.data.sources.verses import Verse, edition, verses
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

GENRES = {
    "law": range(1, 6),
    "history": range(6, 18),
    "wisdom": range(18, 23),
    "prophets": (*range(23, 40), 66),
    "gospels": range(40, 44),
    "acts": (44,),
    "letters": range(45, 66),
}
"""Kinds of book and their books' numbers; Revelation is one of the prophets."""

_BOOKS = {book: genre for genre, books in GENRES.items() for book in books}
HELD_OUT = 0.1


@dataclass(frozen=True)
class VersesGenre:
    """Which kind of book a verse is from: law, history, wisdom, prophets, gospels, acts or letters.

    Split by chapter, so that no chapter is in two splits: of each kind about 80 % of the chapters for training, 10 %
    for validation, 10 % for test.

    version:    `kjv` or `web`.
    split_seed: which chapters go where; the same for both versions.
    """

    version: str = "kjv"
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        if isinstance(self.split_seed, bool) or not isinstance(self.split_seed, int) or self.split_seed < 0:
            raise UserError(f"data.split_seed is {self.split_seed}, expected a whole number of at least 0")

    def describe(self) -> str:
        return f"verses_genre ({self.version})"

    def identity(self) -> Plain:
        return {"embedded": "verses_genre", "edition": edition(self.version), "split_seed": self.split_seed}

    def load(self) -> Loaded:
        every = verses(self.version)
        held = self._held_out(every)
        rows: dict[str, list[Verse]] = {split: [] for split in SPLITS}
        for verse in every:
            rows[held.get((verse.book, verse.chapter), "train")].append(verse)
        tables = {
            split: Table(
                [verse.text for verse in found],
                [_BOOKS[verse.book] for verse in found],
                [verse.id for verse in found],
            )
            for split, found in rows.items()
        }
        return Loaded(tables, tuple(GENRES), edition(self.version))

    def _held_out(self, every: list[Verse]) -> dict[tuple[int, int], str]:
        chapters = sorted({(verse.book, verse.chapter) for verse in every})
        generator = np.random.default_rng(np.random.SeedSequence([self.split_seed]))
        held = {}
        for genre in GENRES:
            own = [chapter for chapter in chapters if _BOOKS[chapter[0]] == genre]
            order, size = generator.permutation(len(own)), round(HELD_OUT * len(own))
            for split, places in (("test", order[:size]), ("validation", order[size : 2 * size])):
                held.update({own[place]: split for place in places})
        return held
