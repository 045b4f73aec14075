"""word_map.json: word vectors in the plane, and arrows between related words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.json_record import JsonRecord
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record

MOST_WORDS = 600


@dataclass(frozen=True)
class WordMap(JsonRecord):
    """One map, of the vectors that all runs in `labels` started from.

    words:  `(word, count, x, y)`, the most frequent first; the count is None if it is unknown.
    arrows: pairs of positions in `words`.
    """

    method: str
    labels: tuple[str, ...]
    words: tuple[tuple[str, int | None, float, float], ...]
    arrows: tuple[tuple[int, int], ...]

    def to_plain(self) -> dict[str, Plain]:
        return {
            "method": self.method,
            "words": [dict(zip(("word", "count", "x", "y"), word, strict=True)) for word in self.words],
            "arrows": [{"from": self.words[a][0], "to": self.words[b][0]} for a, b in self.arrows],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Words without finite coordinates are left out. Of too many words the most frequent are kept, and those of
        arrows. Raises one of `files.DAMAGE` for another form."""
        arrows = [(str(arrow["from"]), str(arrow["to"])) for arrow in plain.get("arrows", [])]
        wanted = {word for arrow in arrows for word in arrow}
        words = {}
        for entry in plain["words"]:
            x, y = number(entry["x"]), number(entry["y"])
            if x is not None and y is not None:
                words[str(entry["word"])] = (str(entry["word"]), int(number(entry.get("count")) or 0), x, y)
        ranked = sorted(words.values(), key=lambda word: (word[0] not in wanted, -word[1]))[:MOST_WORDS]
        ranked.sort(key=lambda word: -word[1])
        position = {word[0]: index for index, word in enumerate(ranked)}
        pairs = tuple((position[a], position[b]) for a, b in arrows if a in position and b in position)
        return cls(str(plain.get("method", "")), (), tuple(ranked), pairs)


def word_maps(runs: list[tuple[Path, Record]]) -> tuple[list[WordMap], list[str]]:
    """The different maps of a comparison, each with the labels that it belongs to, and notes on unreadable files."""
    readable, notes = read_artifacts(runs, "word_map", WordMap.read)
    labels: dict[WordMap, dict[str, None]] = {}
    for record, word_map in readable:
        labels.setdefault(word_map, {})[record.label] = None
    return [replace(word_map, labels=tuple(names)) for word_map, names in labels.items() if word_map.words], notes
