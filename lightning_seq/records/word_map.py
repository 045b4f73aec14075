"""word_map.json: word vectors in the plane, and arrows between related words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import DAMAGE, Plain, read_json
from lightning_seq.records.artifacts import artifact
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import whole

MOST_WORDS = 600


@dataclass(frozen=True)
class WordMap:
    """One map, of the vectors that all runs in `labels` started from.

    words:  `(word, count, x, y)`, the most frequent first; the count is None where it is not known.
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
    def from_plain(cls, plain: Mapping[str, Plain], labels: tuple[str, ...] = ()) -> WordMap:
        """Words without a finite place are left out, and where there are too many the rarest; words at the ends of
        arrows are kept. Raises one of `files.DAMAGE` for another form."""
        arrows = [(str(arrow["from"]), str(arrow["to"])) for arrow in plain.get("arrows", [])]
        wanted = {word for arrow in arrows for word in arrow}
        words = {}
        for entry in plain["words"]:
            x, y = number(entry["x"]), number(entry["y"])
            if x is not None and y is not None:
                words[str(entry["word"])] = (str(entry["word"]), whole(entry.get("count")), x, y)
        ranked = sorted(words.values(), key=lambda word: (word[0] not in wanted, -word[1]))[:MOST_WORDS]
        ranked.sort(key=lambda word: -word[1])
        position = {word[0]: index for index, word in enumerate(ranked)}
        pairs = tuple((position[a], position[b]) for a, b in arrows if a in position and b in position)
        return cls(str(plain.get("method", "")), labels, tuple(ranked), pairs)


def word_maps(runs: list[tuple[Path, Record]]) -> tuple[list[WordMap], list[str]]:
    """The different maps of a comparison (equal files are one map), and notes on what had to be left out."""
    places: dict[str, tuple[Path, list[str]]] = {}
    notes = []
    for directory, record in runs:
        found = artifact(directory, record, "word_map")
        if found is None:
            continue
        if found.path is None:
            notes.append(found.note or "")
            continue
        _, labels = places.setdefault(found.sha256 or str(found.path), (found.path, []))
        if record.label not in labels:
            labels.append(record.label)
    maps = []
    for path, labels in places.values():
        try:
            maps.append(read_map(path, tuple(labels)))
        except DAMAGE as error:
            notes.append(f"{', '.join(labels)}: {path.name} cannot be used ({error})")
    return [each for each in maps if each.words], notes


def read_map(path: Path, labels: tuple[str, ...]) -> WordMap:
    """Raises one of `files.DAMAGE` for a `word_map.json` of another form."""
    return WordMap.from_plain(read_json(path, dict), labels)
