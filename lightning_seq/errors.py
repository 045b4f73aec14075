"""Errors of the user, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from lightning_seq.printable import printable, without_credentials

_ENDLESS = re.compile(r"\S{1000,}")
"""A word that is too long for a message."""
SHOWN = 12
"""The most names in a message."""


class UserError(ValueError):
    """An error that the user can correct. Its message is one printable line: the value, the expected value, the remedy.

    It has no password of an address. The command line prints it without a traceback and ends with exit code 2.
    """

    def __init__(self, message: str) -> None:
        shown = _ENDLESS.sub(lambda word: f"{word[0][:200]}…", " ".join(message.split()))
        super().__init__(printable(without_credentials(shown)))


def first_line(error: BaseException) -> str:
    """The first line of an error's message; the name of its class if the message is empty."""
    return printable(without_credentials(next(iter(str(error).strip().splitlines()), type(error).__name__)))


def root_cause(error: BaseException) -> str:
    """The message of the error that caused this one, on one line of at most 300 characters."""
    while error.__cause__ is not None:
        error = error.__cause__
    return printable(" ".join(str(error).split()) or type(error).__name__)[:300]


def near(name: str, choices: Iterable[str]) -> str:
    """A clause that names the choices nearest to a misspelt `name`, or all choices if none is near."""
    known = sorted(set(choices))
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(known[:SHOWN]) + (", …" if len(known) > SHOWN else "")
    return f"choose from: {shown}" if known else "there are none"


def install(extra: str) -> str:
    """The command that installs an extra of `pyproject.toml`: the project is on no package index."""
    return f'pip install ".[{extra}]" in the directory that holds its pyproject.toml'


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """The value. Raises UserError unless it is one of the choices."""
    if value not in [*choices]:
        raise UserError(f"{name} is {value!r}: {near(str(value), choices)}")
    return value


def at_least_one(name: str, size: int) -> int:
    """The size. Raises UserError unless it is at least 1."""
    if size < 1:
        raise UserError(f"{name} is {size}, expected a whole number of at least 1")
    return size
