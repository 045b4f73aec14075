"""Notes on texts, for whoever reads a model's answers to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lightning_seq.errors import UserError
from lightning_seq.text.vocabulary import UNK, Vocabulary


class Note(NamedTuple):
    """text: for people; readable: whether a model can answer such a text at all."""

    text: str
    readable: bool


EMPTY = Note("empty line", False)
UNKNOWN = Note("only unknown words", True)


def note_of_tokens(tokens: Sequence[str], vocabulary: Vocabulary, longest: int | None = None) -> Note | None:
    """A note on a text with these tokens. longest: how many of them are read, or None for all."""
    if not any(map(str.strip, tokens)):
        return EMPTY
    read = tokens[:longest]
    if vocabulary.has_specials and set(vocabulary.encode(read)) == {UNK}:
        return UNKNOWN
    return Note(f"only the first {longest:,} of {len(tokens):,} tokens are read", True) if read != tokens else None


def refusal(read: Callable[[], object]) -> Note | None:
    """The UserError that `read` raises, as a note."""
    try:
        read()
    except UserError as error:
        return Note(str(error), False)
    return None
