"""What a user should know about one text before a model's answer to it is believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from lightning_seq.errors import UserError
from lightning_seq.text.vocabulary import UNK, Vocabulary


class Note(NamedTuple):
    """text: for people; readable: whether a model can answer such a text at all."""

    text: str
    readable: bool


EMPTY = Note("empty line", False)
UNKNOWN = Note("only unknown words", True)


class NotingReader(Protocol):
    """A reader of new text that says what is unusual about one text."""

    def note(self, text: str) -> Note | None: ...


def note_of_tokens(tokens: Sequence[str], vocabulary: Vocabulary, longest: int | None = None) -> Note | None:
    """longest: tokens of a text that are read, or None for all."""
    if not any(map(str.strip, tokens)):
        return EMPTY
    read = tokens[:longest]
    if vocabulary.has_specials and set(vocabulary.encode(read)) == {UNK}:
        return UNKNOWN
    return Note(f"only the first {longest:,} of {len(tokens):,} tokens are read", True) if read != tokens else None


def refusal(read: Callable[[], object]) -> Note | None:
    """What `read` raises UserError for, as a note."""
    try:
        read()
    except UserError as error:
        return Note(str(error), False)
    return None
