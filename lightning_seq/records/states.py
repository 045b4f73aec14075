"""states.json: trajectories of the hidden state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import Plain, read_json
from lightning_seq.records.sentences import Sentence, numbers, whole


@dataclass(frozen=True)
class Walk:
    """Of one direction of the top layer. share: of the variance that is in the plane; places: by sentence and word."""

    direction: str
    share: float
    places: tuple[tuple[tuple[float, ...], ...], ...]
    layer: int = 0

    def to_plain(self) -> dict[str, Plain]:
        places = [[list(place) for place in walked] for walked in self.places]
        return {"layer": self.layer, "direction": self.direction, "share": self.share, "places": places}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain], sentences: tuple[Sentence, ...]) -> Walk:
        places = tuple(
            tuple(numbers(place, 2) for place in walked[: len(sentence.words)])
            for walked, sentence in zip(plain["places"], sentences, strict=True)
        )
        if any(len(walked) != len(sentence.words) for walked, sentence in zip(places, sentences, strict=True)):
            raise ValueError("expected a place for every word")
        return cls(str(plain["direction"]), numbers([plain["share"]], 1)[0], places, whole(plain.get("layer")))


@dataclass(frozen=True)
class Travelled:
    """A `states.json`."""

    sentences: tuple[Sentence, ...]
    paths: tuple[Walk, ...]
    epoch: int = 0

    def to_plain(self) -> dict[str, Plain]:
        sentences, paths = ([each.to_plain() for each in part] for part in (self.sentences, self.paths))
        return {"sentences": sentences, "epoch": self.epoch, "paths": paths}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Travelled:
        """Raises one of `files.DAMAGE` for another form."""
        sentences = tuple(Sentence.from_plain(entry) for entry in plain["sentences"])
        paths = tuple(Walk.from_plain(entry, sentences) for entry in plain["paths"])
        return cls(sentences, paths, whole(plain.get("epoch")))


def read_states(path: Path) -> Travelled:
    """Raises one of `files.DAMAGE` for a file of another form."""
    return Travelled.from_plain(read_json(path, dict))
