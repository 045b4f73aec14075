"""Sentences and layers, as the artifacts of diagnostics have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lightning_seq.files import Plain
from lightning_seq.records.numbers import number

MOST_LABELS, MOST_SENTENCES, MOST_WORDS = 24, 4, 30
"""On a page, for each data set."""


@dataclass(frozen=True)
class Sentence:
    """number: of the example in its split. cut: whether words were left out at its end."""

    number: int
    words: tuple[str, ...]
    cut: bool

    @property
    def text(self) -> str:
        return " ".join(self.words) + (" …" if self.cut else "")

    def to_plain(self) -> dict[str, Plain]:
        return {"id": self.number, "words": list(self.words), "cut": self.cut}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Sentence:
        """Words beyond `MOST_WORDS` are left out."""
        words = [str(word) for word in plain["words"]]
        cut = bool(plain.get("cut")) or len(words) > MOST_WORDS
        return cls(whole(plain.get("id")), tuple(words[:MOST_WORDS]), cut)


class Place(NamedTuple):
    """A recurrence of an encoder: its layer, from the input up, counted from 1, and its direction."""

    layer: int
    direction: str

    def __str__(self) -> str:
        return f"layer {self.layer}, {self.direction}"

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Place:
        return cls(int(plain["layer"]), str(plain["direction"]))


def whole(value: Plain) -> int:
    """A whole number; 0 for anything but a number."""
    return int(number(value) or 0)


def numbers(values: Sequence[Plain], size: int) -> tuple[float, ...]:
    """The first `size` of the values; ValueError where there are fewer, or one is no finite number."""
    found = values[:size]
    if len(found) < size or any(number(value) is None for value in found):
        raise ValueError(f"expected {size} finite numbers")
    return tuple(found)
