"""Verses of an installed package without their marks and capitals, which a tagger restores."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.data.sources.verses import InChapters
from lightning_seq.files import Plain
from lightning_seq.text.punctuation import TAGS, tagged
from lightning_seq.value_types import Seed


@dataclass(frozen=True)
class VersesPunctuation(InChapters):
    """Bare words of Bible verses, with the splits of `VersesGenre`; a tag is the mark after a word and whether the word
    has a capital (`TAGS`).

    version: `kjv` or `web`. King James begins every verse with a capital, also in mid-sentence, writes LORD for the
             name of God, and begins speech with a capital, not with quotation marks; a verse may end without a full
             stop.
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
            sentences = [tagged(text) for text in verses.texts]
            tables[split] = TaggedTable(
                [words for words, _ in sentences], [[*tags] for _, tags in sentences], verses.ids
            )
        return Loaded(tables, TAGS, loaded.revision)

    def _verses(self) -> VersesGenre:
        return VersesGenre(self.version, self.split_seed)
