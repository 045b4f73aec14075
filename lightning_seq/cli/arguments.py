"""The arguments of a verb: declared as annotated fields of a dataclass, and read from the words of the command."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lightning_seq.config.words import split_words
from lightning_seq.errors import UserError, near
from lightning_seq.files import place

A = TypeVar("A")
MOST = 2**63 - 1
_SHOWN = 40
"""Characters of a wrong value in a message."""


@dataclass(frozen=True)
class Argument:
    """A field that is typed as `field=value`.

    value:       the word for the value in `--help`: N, FILE.
    meaning:     the line in `--help`, to which a default is added.
    least, most: the range of a number.
    first:       whether the first word of the command may be the value alone.
    """

    value: str
    meaning: str
    least: int = 1
    most: float = MOST
    first: bool = False


@dataclass(frozen=True)
class Operand:
    """A field that is typed as its value alone: it takes the words of the command without `=`.

    value:          the word for the value in `--help`, such as CELL.
    takes, example: for the error: the operands of the verb, and a right command.
    """

    value: str
    takes: str
    example: str


@dataclass(frozen=True)
class Field:
    """One field of a verb's arguments.

    kind:    its type, without None and words.
    default: MISSING where the user must give it.
    words:   values of a `Literal` next to the type.
    """

    name: str
    kind: object
    default: object
    about: Argument | Operand
    words: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, str] | None:
        """`key=VALUE` and its meaning, for `--help`; None for an operand."""
        if isinstance(self.about, Operand):
            return None
        shown = type(self.default) in (int, float)
        return f"{self.name}={self.about.value}", self.about.meaning + (f" ({self.default})" if shown else "")


def fields_of(arguments: type) -> list[Field]:
    """The fields of a dataclass, each annotated with its type and an `Argument` or an `Operand`."""
    hints, described = get_type_hints(arguments, include_extras=True), []
    for field in fields(arguments):
        kind, about = get_args(hints[field.name])
        words: tuple[str, ...] = ()
        if get_origin(kind) in (Union, UnionType):
            parts = [part for part in get_args(kind) if part is not type(None)]
            words = tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))
            (kind,) = (part for part in parts if get_origin(part) is not Literal)
        described.append(Field(field.name, kind, field.default, about, words))
    return described


def parse(verb: str, arguments: type[A], words: Sequence[str]) -> A:
    """The arguments that the words of a command give.

    Raises UserError for an unknown key, a key that comes twice or is missing, and a value of the wrong kind or out of
    its range.
    """
    values: dict[str, object] = {}
    known: dict[str, tuple[Field, Argument]] = {}
    for field in fields_of(arguments):
        if isinstance(field.about, Operand):
            values[field.name] = _operand(verb, field, field.about, [word for word in words if "=" not in word])
            words = [word for word in words if "=" in word]
        else:
            known[field.name] = field, field.about
            if field.about.first and words and "=" not in words[0]:
                words = [f"{field.name}={words[0]}", *words[1:]]
    for pair in split_words(words):
        if pair.key not in known:
            raise UserError(f"{pair.text}: there is no key {pair.key!r} for {verb}; {near(pair.key, known)}")
        if pair.key in values:
            raise UserError(f"{pair.text}: {pair.key} was given twice: give it once")
        field, about = known[pair.key]
        is_word = pair.value in field.words
        values[pair.key] = pair.value if is_word else _READERS[field.kind](pair.key, pair.value, about)
    for field, about in known.values():
        if field.default is MISSING and not values.get(field.name):
            raise UserError(f"{verb} needs {field.name}={about.value}, {about.meaning}")
    return arguments(**values)


def _operand(verb: str, field: Field, about: Operand, words: Sequence[str]) -> str | Path | tuple[Path, ...]:
    several = field.kind == tuple[Path, ...]
    if not words or (len(words) > 1 and not several):
        raise UserError(f"{verb} takes {about.takes}, {' '.join(words) or 'nothing'} came: {about.example}")
    if field.kind is str:
        return words[0]
    paths = tuple(place(word, "directory") for word in words)
    return paths if several else paths[0]


def _whole_number(name: str, value: str, about: Argument) -> int:
    """Raises UserError for a text that is not digits alone and for a number out of its range."""
    digits, most = value.lstrip("0") or "0", int(about.most)
    if not (value.isascii() and value.isdecimal() and len(digits) <= len(str(most))) or not (
        about.least <= int(digits) <= most
    ):
        top = "" if most == MOST else f" and at most {most:,}"
        raise UserError(f"{name} is {value[:_SHOWN]!r}, expected a whole number of at least {about.least}{top}")
    return int(digits)


def _real_number(name: str, value: str, about: Argument) -> float:
    """Raises UserError for a text that is not a finite number in its range."""
    try:
        number = float(value) + 0.0  # so that -0 is 0
    except ValueError:
        number = math.nan
    if "_" in value or not (math.isfinite(number) and about.least <= number <= about.most):
        top = "" if about.most == MOST else f" and at most {about.most:g}"
        raise UserError(f"{name} is {value[:_SHOWN]!r}, expected a number such as 0.8, of at least {about.least}{top}")
    return number


def _truth(name: str, value: str, about: Argument) -> bool:
    if value not in ("true", "false"):
        raise UserError(f"{name} is {value[:_SHOWN]!r}, expected true or false")
    return value == "true"


_READERS: dict[object, Callable[[str, str, Argument], object]] = {
    int: _whole_number,
    float: _real_number,
    bool: _truth,
    str: lambda name, value, about: value,
    Path: lambda name, value, about: place(value, name),
    tuple[str, ...]: lambda name, value, about: tuple(filter(None, map(str.strip, value.strip("[]").split(",")))),
}
"""By the type of a field, functions from its name, the typed value and its `Argument` to a value of this type."""
