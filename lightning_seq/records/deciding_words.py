"""deciding_words.json: the attribution of a prediction to words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.records.numbers import number
from lightning_seq.records.sentences import Sentence, numbers, read_sentence


@dataclass(frozen=True)
class Decision:
    """How a run came to what it says of one sentence. prefixes and gradients: by word."""

    target: str
    prediction: str
    prefixes: tuple[float, ...]
    gradients: tuple[float, ...]


@dataclass(frozen=True)
class Pattern:
    """Words that brought a class over the threshold, by how much, and in how many sentences."""

    words: tuple[str, ...]
    rise: float
    sentences: int


@dataclass(frozen=True)
class Decided:
    """A `deciding_words.json`."""

    says: str
    threshold: float
    sentences: tuple[Sentence, ...]
    decisions: tuple[Decision, ...]
    patterns: dict[str, tuple[Pattern, ...]]


def read_deciding_words(path: Path) -> Decided:
    """Raises one of `files.DAMAGE` for a file of another form."""
    plain = read_json(path, dict)
    sentences = tuple(read_sentence(entry) for entry in plain["sentences"])
    patterns: dict[str, tuple[Pattern, ...]] = {}
    for entry in plain["patterns"]:
        found = Pattern(
            tuple(str(word) for word in entry["words"]), numbers([entry["rise"]], 1)[0], int(entry["sentences"])
        )
        patterns[str(entry["class"])] = (*patterns.get(str(entry["class"]), ()), found)
    return Decided(
        str(plain["says"]),
        number(plain.get("threshold")) or 0.0,
        sentences,
        tuple(_decision(entry, sentence) for entry, sentence in zip(plain["sentences"], sentences, strict=True)),
        patterns,
    )


def _decision(entry: dict[str, Any], sentence: Sentence) -> Decision:
    size = len(sentence.words)
    return Decision(
        str(entry["class"]),
        str(entry["prediction"]),
        numbers(entry["prefixes"], size),
        numbers(entry["gradients"], size),
    )
