"""A data set of an installed package: verses and the kinds of their books."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_seq.data.sources.corpus import held_out
from lightning_seq.data.sources.table import SPLITS, Loaded, Table
from lightning_seq.data.sources.verses import InChapters, Verse, edition, verses
from lightning_seq.field_checks import check_fields
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
"""Kinds of book and the numbers of their books; Revelation is one of the prophets."""

_BOOKS = {book: genre for genre, books in GENRES.items() for book in books}


@dataclass(frozen=True)
class VersesGenre(InChapters):
    """The kind of book that a verse is from: law, history, wisdom, prophets, gospels, acts or letters.

    No chapter is in two splits: of each kind about 80 % of the chapters are for training, 10 % for validation, 10 % for
    test.

    version:    `kjv` or `web`.
    split_seed: of the chapters of each split; the same for both versions.
    """

    version: str = "kjv"
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def describe(self) -> str:
        return f"verses_genre ({self.version})"

    def identity(self) -> Plain:
        return {"embedded": "verses_genre", "edition": edition(self.version), "split_seed": self.split_seed}

    def load(self) -> Loaded:
        every = verses(self.version)
        chapters = sorted({(verse.book, verse.chapter) for verse in every})
        generator = np.random.default_rng(np.random.SeedSequence([self.split_seed]))
        split_of: dict[tuple[int, int], str] = {}
        for genre in GENRES:
            own = [chapter for chapter in chapters if _BOOKS[chapter[0]] == genre]
            split_of.update(zip(own, held_out(len(own), generator), strict=True))
        rows: dict[str, list[Verse]] = {split: [] for split in SPLITS}
        for verse in every:
            rows[split_of[verse.book, verse.chapter]].append(verse)
        tables = {
            split: Table([one.text for one in part], [_BOOKS[one.book] for one in part], [one.id for one in part])
            for split, part in rows.items()
        }
        return Loaded(tables, tuple(GENRES), edition(self.version))
