"""Restore the marks and capitals of bare words: verses that come with an installed package."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.files import Plain
from lightning_seq.text.punctuation import TAGS, tagged
from lightning_seq.value_types import Seed


@dataclass(frozen=True)
class VersesPunctuation:
    """Bare words of Bible verses; the tag of a word is the mark behind it and whether it has a capital (`TAGS`).

    No chapter is in two splits: they are those of `VersesGenre`.

    version:    `kjv` or `web`.
    split_seed: which chapters go where.

    King James begins every verse with a capital, also in mid-sentence, writes LORD for the name of God, and puts a
    capital, not quotation marks, where somebody begins to speak; a verse may end without a full stop.
    """

    version: str = "kjv"
    split_seed: Seed = 1

    def describe(self) -> str:
        return f"verses_punctuation ({self.version})"

    def identity(self) -> Plain:
        return {"embedded": "verses_punctuation", "verses": self._verses().identity()}

    def load(self) -> Loaded[TaggedTable]:
        loaded, tables = self._verses().load(), {}
        for split, verses in loaded.tables.items():
            found = [tagged(text) for text in verses.texts]
            tables[split] = TaggedTable([words for words, _ in found], [list(tags) for _, tags in found], verses.ids)
        return Loaded(tables, TAGS, loaded.revision)

    def _verses(self) -> VersesGenre:
        return VersesGenre(self.version, self.split_seed)
