"""The words behind a verb that reads no configuration: its keys, and the texts it is about."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_seq.config.words import split_words
from lightning_seq.errors import UserError, near

if TYPE_CHECKING:
    from lightning_seq.inference.load import Loaded

MOST = 2**63 - 1
_SHOWN = 40
"""Characters of a wrong value that a message repeats."""


def check_utf8(words: Sequence[str]) -> None:
    """Raises UserError for a word of the command line whose bytes are not UTF-8."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UserError(f"{word!r} is not UTF-8: expected words in UTF-8, or rename the file") from None


def given_keys(
    verb: str, words: list[str], known: Mapping[str, str | None], positional: str | None = None
) -> dict[str, str | None]:
    """The verb's own keys, as given or by default.

    positional: the key that a first word without `=` is the value of.

    Raises UserError for another key and for one that comes twice.
    """
    if positional is not None and words and "=" not in words[0]:
        words = [f"{positional}={words[0]}", *words[1:]]
    pairs: dict[str, str | None] = {}
    for pair in split_words(words):
        if pair.key not in known:
            raise UserError(f"{pair.text}: there is no key {pair.key!r} for {verb}; {near(pair.key, known)}")
        if pair.key in pairs:
            raise UserError(f"{pair.text}: {pair.key} was given twice: give it once")
        pairs[pair.key] = pair.value
    given = {**known, **pairs}
    if given.get("text") is not None and given.get("file") is not None:
        raise UserError("text=… and file=… were both given: give one of them")
    return given


def loaded_checkpoint(verb: str, given: dict[str, str | None]) -> Loaded:
    """The model, where the verb is for models of its kind. Raises UserError for one of another kind."""
    if not given["checkpoint"]:
        raise UserError(f"{verb} needs checkpoint=PATH, the directory of a run such as runs/demo/lstm-seed1")
    from lightning_seq.builders.task_kind import check_verb
    from lightning_seq.inference.load import load

    allow = [module.strip() for module in str(given["allow"]).strip("[]").split(",") if module.strip()]
    loaded = load(str(given["checkpoint"]), allow)
    check_verb(verb, loaded.spec)
    return loaded


def whole_number(name: str, value: str | None, least: int = 1, most: int = MOST) -> int | None:
    """Raises UserError for anything but digits and for a number out of its range."""
    if value is None:
        return None
    digits = value.lstrip("0") or "0"
    if not (value.isascii() and value.isdecimal() and len(digits) <= len(str(most)) and least <= int(digits) <= most):
        top = "" if most == MOST else f" and at most {most:,}"
        raise UserError(f"{name} is {value[:_SHOWN]!r}, expected a whole number of at least {least}{top}")
    return int(digits)


def real_number(name: str, value: str | None, least: float = 0.0, most: float = math.inf) -> float | None:
    """Raises UserError for anything but a finite number in its range."""
    if value is None:
        return None
    try:
        number = float(value) + 0.0  # so that -0 is 0
    except ValueError:
        number = math.nan
    if "_" in value or not (math.isfinite(number) and least <= number <= most):
        top = "" if most == math.inf else f" and at most {most:g}"
        raise UserError(f"{name} is {value[:_SHOWN]!r}, expected a number such as 0.8, of at least {least:g}{top}")
    return number


def truth(name: str, value: str | None) -> bool:
    if value not in ("true", "false"):
        raise UserError(f"{name} is {value!r}, expected true or false")
    return value == "true"


def given_texts(text: str | None, file: str | None, column: str | None = None) -> Iterator[str]:
    """The text given, or those of the file given, or the lines of standard input; see `text/lines.py`.

    column: of a CSV, TSV or JSON lines file, by its suffix; None for `text`.
    """
    from lightning_seq.files import existing_file
    from lightning_seq.text.column import SUFFIXES, column_of
    from lightning_seq.text.lines import lines_of

    path = None if file is None else existing_file(file, "file", stream=True)
    suffix = "" if path is None else path.suffix.lower()
    if column is not None and suffix not in SUFFIXES:
        raise UserError(f"column={column}: expected file=FILE that ends in {', '.join(SUFFIXES)}")
    if text is not None:
        return iter([text])
    if path is not None:
        lines = _lines_of_file(path)
        return column_of(lines, suffix, column or "text", str(path)) if suffix in SUFFIXES else lines
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
    return lines_of(sys.stdin.buffer, "standard input")


def _lines_of_file(path: Path) -> Iterator[str]:
    from lightning_seq.text.lines import lines_of

    try:
        with path.open("rb") as stream:
            yield from lines_of(stream, str(path))
    except OSError as error:
        raise UserError(f"file={path} cannot be read ({error.strerror}): give a text file") from None
