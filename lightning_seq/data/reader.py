"""The base of every reader, which turns new text into a batch without the data of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self, get_type_hints

from lightning_seq.data.note import Note
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.spec import Batch, DataSpec


@dataclass(frozen=True)
class Reader(ABC):
    """Turns new text into batches, as in training. A checkpoint holds its fields as plain values.

    Subclasses are frozen dataclasses. Their fields are plain values, tuples of them, or objects with `to_plain` and
    `from_plain`.

    KIND: which reader wrote the plain values; None for the reader of classification, which writes none.
    OBJECTS: whether a line may be a JSON object, so that a `.jsonl` file holds such lines, not a column of texts.
    TABS: whether a line has tabs, so that a `.tsv` file with named columns has no such lines.
    """

    KIND: ClassVar[str | None]
    OBJECTS: ClassVar[bool] = False
    TABS: ClassVar[bool] = False
    spec: DataSpec

    @abstractmethod
    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of all texts, whose targets do not count. first: the number of the first text, for errors.

        Raises UserError, with its number, for a text that cannot be read.
        """

    @abstractmethod
    def note(self, text: str) -> Note | None:
        """A note on an unusual text, or on one that cannot be read; None for any other text."""

    def to_plain(self) -> dict[str, Plain]:
        """Plain values that a checkpoint can hold."""
        kind = {} if self.KIND is None else {"kind": self.KIND}
        return kind | {field.name: _to_plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """The inverse of `to_plain`."""
        types = get_type_hints(cls)
        return cls(**{field.name: _from_plain(types[field.name], plain[field.name]) for field in fields(cls)})


def _to_plain(value: Plain) -> Plain:
    if isinstance(value, tuple):
        return list(value)
    return value.to_plain() if hasattr(value, "to_plain") else value


def _from_plain(kind: Plain, value: Plain) -> Plain:
    if hasattr(kind, "from_plain"):
        return kind.from_plain(value)
    return tuple(value) if isinstance(value, list) else value


def check_some(texts: Sequence[object], what: str = "text") -> None:
    """Raises UserError where there is nothing to read."""
    if not texts:
        raise UserError(f"there is no {what}: expected at least one")


def tokenised(texts: Sequence[str], tokenise: Callable[[str], list[str]], first: int) -> list[list[str]]:
    """The tokens of each text. Raises UserError where there is no text, and for a text without a token."""
    check_some(texts)
    sentences = [tokenise(text) for text in texts]
    for number, tokens in enumerate(sentences, first):
        if not any(map(str.strip, tokens)):
            raise empty_text(number)
    return sentences


def empty_text(number: int) -> UserError:
    return UserError(f"text {number} is empty: expected at least one word on every line")
