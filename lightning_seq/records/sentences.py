"""A sentence in an artifact of a diagnostic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


def read_sentence(entry: dict[str, Any]) -> Sentence:
    words = [str(word) for word in entry["words"]]
    held = number(entry.get("id"))
    return Sentence(
        0 if held is None else int(held), tuple(words[:MOST_WORDS]), bool(entry.get("cut")) or len(words) > MOST_WORDS
    )


def numbers(values: Sequence[Any], size: int) -> tuple[float, ...]:
    """The first `size` of the values; ValueError where there are fewer, or one is no finite number."""
    found = [number(value) for value in values[:size]]
    if len(found) < size or any(value is None for value in found):
        raise ValueError(f"expected {size} finite numbers")
    return tuple(value for value in found if value is not None)
