"""The words of a command, `key=value`: which are several, and which are text that is taken as typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.identity import shown

PATHS = (
    "runs", "cache", "output", "data.mirror", "data.train", "data.validation", "data.test", "data.train_target",
    "data.validation_target", "data.test_target", "embedding.path", "embedding.target_path",
)  # fmt: skip
"""Keys that name a place of this system."""

VERBATIM = (
    *PATHS, "text", "prompt", "checkpoint", "name", "label", "file", "data.mirror_path", "data.licence",
    "data.delimiter", "logger.notes", "task.sample.prompt",
)  # fmt: skip
"""Keys whose value is taken as typed, before Hydra's grammar sees it; and the names of columns (`is_verbatim`)."""

SHORT = {"tune": "tune.trials"}
"""Keys that stand for another one; `data.train` also stands for `data.source.train`, see `located`."""

DIGITS = re.compile(r"\d{309,}")
"""More digits than any number of a computer has."""


@dataclass(frozen=True)
class Word:
    """One `key=value` of the command line."""

    key: str
    value: str

    @property
    def text(self) -> str:
        return f"{self.key}={self.value}"


def is_verbatim(key: str) -> bool:
    """Whether the value of this key is taken as typed: a comma in it is a comma, a number a name."""
    return key in VERBATIM or (key.startswith("data.") and key.endswith("_column"))


def split_words(words: Sequence[str]) -> list[Word]:
    """Raises UserError for a word that is not `key=value`."""
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", key):
            raise UserError(f"{word!r} is not understood: expected key=value, for example model=lstm")
        pairs.append(Word(SHORT.get(key, shown(key)), value))
    return pairs


def alternatives(word: Word) -> list[str]:
    """The values of a comma list (`rnn,lstm`), or the one value. Commas inside brackets and quotes do not separate."""
    if is_verbatim(word.key):
        return [word.value]
    parts, depth, quote, current = [], 0, "", ""
    for character in word.value:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += (character in "[{(") - (character in "]})") if not quote else 0
        if character == "," and depth == 0 and not quote:
            parts.append(current)
            current = ""
        else:
            current += character
    parts.append(current)
    if len(parts) > 1 and "" in parts:
        raise UserError(f"{word.text!r} has an empty value between commas")
    return parts


def as_typed(pair: Word, default: Any, nullable: bool) -> str | int | None:
    """The text, or a number where columns go by their place, as in CoNLL files. An empty text is null, and so is the
    word `null` where the key may be null."""
    if type(default) is int and re.fullmatch(r"-?\d{1,9}", pair.value):
        return int(pair.value)
    return None if pair.value == "" or (pair.value == "null" and nullable) else pair.value


def check_digits(pair: Word) -> None:
    """Raises UserError for a number that is too long to be read."""
    if DIGITS.search(pair.value):
        raise UserError(f"{pair.key}={pair.value[:40]}…: expected a number of at most 308 digits")


def check_texts(pair: Word, value: Any) -> None:
    """Raises UserError for a mapping with anything but texts in it."""
    if isinstance(value, dict) and not all(isinstance(text, str) for text in (*value, *value.values())):
        raise UserError(f"{pair.text}: expected texts, each with the text to put in its place, {{a: b}}")


def read_texts(pair: Word) -> dict[str, str] | None:
    """A mapping of texts as YAML and JSON write it, `{"<br />": " ", "a": "b"}`; None where it is left to Hydra, which
    reads `{a:b}`."""
    import yaml

    try:
        found = yaml.load(pair.value, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return None
    if isinstance(found, list):
        raise UserError(f'{pair.text}: expected a mapping of texts, such as {pair.key}={{"<br />": " "}}')
    plain = isinstance(found, dict) and all(isinstance(text, str) for text in (*found, *found.values()))
    return found if plain and not any(":" in key and not found[key] for key in found) else None
