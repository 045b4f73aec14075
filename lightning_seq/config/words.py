"""The words of a command, `key=value`: which are several, and which are text that is taken as typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.identity import shown

VERBATIM = (
    "text", "prompt", "checkpoint", "name", "label", "runs", "cache", "output", "file",
    "data.mirror", "data.mirror_path", "data.train", "data.validation", "data.test", "data.train_target",
    "data.validation_target", "data.test_target", "data.licence", "data.delimiter", "embedding.path",
    "embedding.target_path", "logger.notes", "task.sample.prompt",
)  # fmt: skip
"""Free text and paths of the user's, next to names of columns (`is_verbatim`): taken as typed, before Hydra's grammar
sees them. Nothing after the sign is null; so is the word `null`, except for `NAMES`."""

NAMES = ("data.text_column", "data.label_column", "data.notes_column")
"""Names that there must be: here `null` is a name too."""

PATHS = (
    "runs", "cache", "output", "data.mirror", "data.train", "data.validation", "data.test", "data.train_target",
    "data.validation_target", "data.test_target", "embedding.path", "embedding.target_path",
)  # fmt: skip
"""Keys that name a place of this system."""

OF_TEXTS = ("data.replace",)
"""Keys that hold a mapping from text to text."""

SHORT = {"tune": "tune.trials"}
"""Keys that stand for another one; `data.train` also stands for `data.source.train`, see `located`."""


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


def as_typed(pair: Word, default: Any) -> str | int | None:
    """The text; a number only where columns go by their place, as in CoNLL files."""
    if type(default) is int and re.fullmatch(r"-?\d{1,9}", pair.value):
        return int(pair.value)
    return None if pair.value == "" or (pair.value == "null" and pair.key not in NAMES) else pair.value


def check_texts(pair: Word, value: Any) -> None:
    if pair.key in OF_TEXTS and not all(isinstance(text, str) for text in (*value, *value.values())):
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
