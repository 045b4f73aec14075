"""Pairs of verses in the English of 1611 and of today, from installed packages."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.pairs import PairTable
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.verses import VERSIONS, InChapters, edition, verses
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed


@dataclass(frozen=True)
class VersesModernise(InChapters):
    """The same verse in two versions of the Bible, with the splits of `VersesGenre`.

    A verse that is missing or empty in one of the two is left out.

    source_language, target_language: `kjv` and `web`, in either order.
    """

    source_language: str = "kjv"
    target_language: str = "web"
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        for side, version in (("source", self.source_language), ("target", self.target_language)):
            if version not in VERSIONS:
                raise UserError(f"data.{side}_language is {version!r}; {near(str(version), VERSIONS)}")
        if self.source_language == self.target_language:
            raise UserError(
                f"data.source_language and data.target_language are both {self.source_language}: expected kjv and web"
            )

    @property
    def language_pair(self) -> tuple[str, str]:
        return self.source_language, self.target_language

    def describe(self) -> str:
        return f"verses_modernise ({self.source_language} to {self.target_language})"

    def identity(self) -> Plain:
        return {
            "embedded": "verses_modernise",
            "verses": VersesGenre(self.source_language, self.split_seed).identity(),
            "target": edition(self.target_language),
        }

    def load(self) -> Loaded[PairTable]:
        loaded = VersesGenre(self.source_language, self.split_seed).load()
        other = {verse.id: verse.text for verse in verses(self.target_language)}
        tables, alone = {}, 0
        for split, own in loaded.tables.items():
            table = PairTable([], [], [])
            for number, text in zip(own.ids, own.texts, strict=True):
                if not text or not other.get(number):
                    alone += 1
                    continue
                table.sources.append(text)
                table.targets.append(other[number])
                table.ids.append(number)
            tables[split] = table
        loss = f"{alone:,} verses of {self.source_language} without one in {self.target_language} left out"
        editions = f"{edition(self.source_language)}, {edition(self.target_language)}"
        return Loaded(tables, None, editions, [loss] if alone else [])
