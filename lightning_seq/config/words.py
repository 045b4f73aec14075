"""The words of a command, `key=value`: lists of alternatives, and values that are text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from lightning_seq.errors import UserError
from lightning_seq.identity import shown

PATHS = (
    "runs", "cache", "output", "data.mirror", "data.train", "data.validation", "data.test", "data.train_target",
    "data.validation_target", "data.test_target", "embedding.path", "embedding.target_path",
    "model.picture.weights", "task.picture.weights", "data.features.weights", "embedding.picture.weights", "data.clips",
    "data.pictures", "data.train_annotations", "data.validation_annotations", "data.test_annotations",
    "data.relevances",
)  # fmt: skip
"""Keys of files and directories of this system."""

VERBATIM = (
    *PATHS, "text", "prompt", "checkpoint", "name", "label", "file", "data.mirror_path", "data.licence",
    "data.delimiter", "logger.notes", "task.sample.prompt",
)  # fmt: skip
"""Keys whose value is not read by Hydra's grammar, in addition to the names of columns (`is_verbatim`)."""

LISTS = ("vary",)
"""Keys whose comma list is one value."""

SHORT = {"tune": "tune.trials"}
"""Short forms of keys; `data.train` for `data.source.train` is in `identity.located`."""

DIGITS = re.compile(r"\d{309,}")
"""More digits than a double has."""


@dataclass(frozen=True)
class Word:
    """One `key=value` of the command line."""

    key: str
    value: str

    @property
    def text(self) -> str:
        return f"{self.key}={self.value}"


def is_verbatim(key: str) -> bool:
    """Whether the value of this key is text: a comma does not separate, and a number is a name."""
    return key in VERBATIM or (key.startswith("data.") and key.endswith("_column"))


def split_words(words: Sequence[str]) -> list[Word]:
    """Raises UserError for a word that is not `key=value`."""
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", key):
            raise UserError(f"{word!r} is not understood: expected key=value, for example model=lstm")
        value = f"[{value}]" if key in LISTS and not value.startswith("[") else value
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


def as_typed(pair: Word, default: object, nullable: bool) -> str | int | None:
    """The text, or a number if the default is one (a column of a CoNLL file). An empty text is null, and so is the word
    `null` if the key may be null."""
    if type(default) is int and re.fullmatch(r"-?\d{1,9}", pair.value):
        return int(pair.value)
    return None if pair.value == "" or (pair.value == "null" and nullable) else pair.value


def check_digits(pair: Word) -> None:
    """Raises UserError for a number with too many digits."""
    if DIGITS.search(pair.value):
        raise UserError(f"{pair.key}={pair.value[:40]}…: expected a number of at most 308 digits")


def check_texts(pair: Word, value: object) -> None:
    """Raises UserError for a mapping with anything but texts in it."""
    if isinstance(value, dict) and not all(isinstance(text, str) for text in (*value, *value.values())):
        raise UserError(f"{pair.text}: expected texts, each with its replacement, {{a: b}}")


def read_texts(pair: Word) -> dict[str, str] | None:
    """A mapping of texts in YAML or JSON, `{"<br />": " ", "a": "b"}`; None for `{a:b}`, which Hydra reads."""
    try:
        value = yaml.load(pair.value, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return None
    if isinstance(value, list):
        raise UserError(f'{pair.text}: expected a mapping of texts, such as {pair.key}={{"<br />": " "}}')
    are_texts = isinstance(value, dict) and all(isinstance(text, str) for text in (*value, *value.values()))
    return value if are_texts and not any(":" in key and not value[key] for key in value) else None
