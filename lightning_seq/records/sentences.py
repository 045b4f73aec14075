"""Sentences and recurrences in the artifacts of diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self, TypeVar

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, Key

T = TypeVar("T")

MOST_LABELS, MOST_SENTENCES, MOST_WORDS = 24, 4, 30
"""On a page, for each data set."""


@dataclass(frozen=True)
class Sentence(JsonRecord):
    """number: of the example in its split. cut: whether words were left out at its end."""

    number: Annotated[int, Key("id")]
    words: tuple[str, ...]
    cut: bool

    @property
    def text(self) -> str:
        return " ".join(self.words) + (" …" if self.cut else "")

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Words beyond `MOST_WORDS` are left out."""
        words, cut = plain["words"], plain.get("cut", False)
        return super().from_plain(
            {"id": 0, **plain, "words": words[:MOST_WORDS], "cut": cut or len(words) > MOST_WORDS}
        )


class Place(NamedTuple):
    """A recurrence of an encoder: its layer, from the input up, counted from 1, and its direction."""

    layer: int
    direction: str

    def __str__(self) -> str:
        return f"layer {self.layer}, {self.direction}"

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Place:
        return cls(int(plain["layer"]), str(plain["direction"]))


def for_each_word(sentences: Sequence[Sentence], values: Sequence[Sequence[T]]) -> tuple[tuple[T, ...], ...]:
    """The values of each sentence, as many as it has words. Raises ValueError if a sentence has fewer."""
    pairs = list(zip(sentences, values, strict=True))
    if any(len(mine) < len(sentence.words) for sentence, mine in pairs):
        raise ValueError("expected a value for each word")
    return tuple(tuple(mine[: len(sentence.words)]) for sentence, mine in pairs)
