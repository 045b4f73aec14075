"""states.json: trajectories of the hidden state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.records.sentences import Sentence, numbers, read_sentence


@dataclass(frozen=True)
class Walk:
    """Of one direction of the top layer. share: of the variance that is in the plane; places: by sentence and word."""

    direction: str
    share: float
    places: tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class Travelled:
    """A `states.json`."""

    sentences: tuple[Sentence, ...]
    paths: tuple[Walk, ...]


def read_states(path: Path) -> Travelled:
    """Raises one of `files.DAMAGE` for a file of another form."""
    plain = read_json(path, dict)
    sentences = tuple(read_sentence(entry) for entry in plain["sentences"])
    return Travelled(sentences, tuple(_path(entry, sentences) for entry in plain["paths"]))


def _path(entry: dict[str, Any], sentences: tuple[Sentence, ...]) -> Walk:
    places = tuple(
        tuple(numbers(place, 2) for place in walked[: len(sentence.words)])
        for walked, sentence in zip(entry["places"], sentences, strict=True)
    )
    if any(len(walked) != len(sentence.words) for walked, sentence in zip(places, sentences, strict=True)):
        raise ValueError("expected a place for every word")
    return Walk(str(entry["direction"]), numbers([entry["share"]], 1)[0], places)
