"""Maps of word vectors that runs left behind: places of words in the plane, and arrows between pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import DAMAGE, read_json
from lightning_seq.records.artifacts import artifact
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record

MOST_WORDS = 600


@dataclass(frozen=True)
class WordMap:
    """One map, of the vectors that all runs in `labels` started from.

    words:  `(word, count, x, y)`, the most frequent first.
    arrows: pairs of positions in `words`.
    """

    method: str
    labels: tuple[str, ...]
    words: tuple[tuple[str, int, float, float], ...]
    arrows: tuple[tuple[int, int], ...]


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
    """Read a `word_map.json`; words without a finite place are left out, the rarest too where there are too many.

    Words at the ends of arrows are always kept.
    """
    plain = read_json(path, dict)
    arrows = [(str(arrow["from"]), str(arrow["to"])) for arrow in plain.get("arrows", [])]
    wanted = {word for arrow in arrows for word in arrow}
    words = {}
    for entry in plain["words"]:
        x, y, count = number(entry["x"]), number(entry["y"]), number(entry.get("count")) or 0
        if x is not None and y is not None:
            words[str(entry["word"])] = (str(entry["word"]), int(count), x, y)
    ranked = sorted(words.values(), key=lambda word: (word[0] not in wanted, -word[1]))[:MOST_WORDS]
    ranked.sort(key=lambda word: -word[1])
    position = {word[0]: index for index, word in enumerate(ranked)}
    return WordMap(
        method=str(plain.get("method", "")),
        labels=labels,
        words=tuple(ranked),
        arrows=tuple((position[a], position[b]) for a, b in arrows if a in position and b in position),
    )
