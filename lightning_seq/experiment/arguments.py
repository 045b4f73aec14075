"""The words behind a verb that reads no configuration: its keys, and the texts it is about."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_seq.errors import UserError, near
from lightning_seq.experiment.words import split_words

if TYPE_CHECKING:
    from lightning_seq.experiment.load import Loaded


def given_keys(verb: str, words: list[str], known: dict[str, str | None]) -> dict[str, str | None]:
    """The verb's own keys, as given or by default. Raises UserError for another key."""
    pairs = {pair.key: pair.value for pair in split_words(words)}
    for key in pairs:
        if key not in known:
            raise UserError(f"{key}={pairs[key]}: there is no key {key!r} for {verb}; {near(key, known)}")
    given = known | pairs
    if given.get("text") is not None and given.get("file") is not None:
        raise UserError("text=… and file=… were both given: give one of them")
    return given


def loaded_checkpoint(verb: str, given: dict[str, str | None]) -> Loaded:
    if not given["checkpoint"]:
        raise UserError(f"{verb} needs checkpoint=FILE, such as runs/demo/lstm-seed1/checkpoints/best.ckpt")
    from lightning_seq.experiment.load import load

    allow = [module.strip() for module in str(given["allow"]).strip("[]").split(",") if module.strip()]
    return load(str(given["checkpoint"]), allow)


def whole_number(name: str, value: str | None, least: int = 1) -> int | None:
    if value is None:
        return None
    if not value.isdecimal() or int(value) < least:
        raise UserError(f"{name} is {value!r}, expected a whole number of at least {least}")
    return int(value)


def real_number(name: str, value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        raise UserError(f"{name} is {value!r}, expected a number such as 0.8") from None


def truth(name: str, value: str | None) -> bool:
    if value not in ("true", "false"):
        raise UserError(f"{name} is {value!r}, expected true or false")
    return value == "true"


def print_json_line(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def given_texts(text: str | None, file: str | None) -> Iterator[str]:
    """The text given, or the lines of the file given, or of standard input."""
    if text is not None:
        yield text
        return
    try:
        if file is not None:
            with Path(file).open(encoding="utf-8") as lines:
                yield from (line.rstrip("\n") for line in lines)
        else:
            if sys.stdin is None or sys.stdin.isatty():
                raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
            yield from (line.rstrip("\n") for line in sys.stdin)
    except FileNotFoundError:
        raise UserError(f"file {file} is not there") from None
    except OSError as error:
        raise UserError(f"file {file} cannot be read ({error.strerror}): give a text file") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file or 'standard input'} is not UTF-8 (byte {error.start} of a block): convert it first"
        ) from None
