"""states.json: trajectories of the hidden state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord
from lightning_seq.records.sentences import Sentence, for_each_word


@dataclass(frozen=True)
class Walk(JsonRecord):
    """Of one direction of the top layer. share: of the variance that is in the plane; places: by sentence and word."""

    direction: str
    share: float
    places: tuple[tuple[tuple[float, ...], ...], ...]
    layer: int = 0


@dataclass(frozen=True)
class Travelled(JsonRecord):
    """A `states.json`."""

    sentences: tuple[Sentence, ...]
    paths: tuple[Walk, ...]
    epoch: int = 0

    def to_plain(self) -> dict[str, Plain]:
        plain = super().to_plain()
        return {key: plain[key] for key in ("sentences", "epoch", "paths")}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        file = super().from_plain(plain)
        if any(len(point) != 2 for path in file.paths for points in path.places for point in points):
            raise ValueError("expected two coordinates for each word")
        paths = (replace(path, places=for_each_word(file.sentences, path.places)) for path in file.paths)
        return replace(file, paths=tuple(paths))
