"""The tokens of one side of a pair of texts, words, characters or subwords, and the way back to text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.text.normalise import check_form, normal
from lightning_seq.text.subwords import Subwords
from lightning_seq.text.tokenise import Tokeniser

LEVELS = ("word", "spaced", "character", "subword")


@dataclass(frozen=True)
class Segmenter:
    """Splits text into tokens, and joins tokens to text.

    level:     a level of `Tokeniser`, or `subword`.
    lower:     small letters first.
    subwords:  the model of level `subword`.
    normalise: see `FORMS` of text/normalise.py; before all else.

    Joined characters and subwords give the same text, but a run of white space is one space and none is at an end.
    Words and marks are joined by one space: `tokenised` text.
    """

    level: str = "word"
    lower: bool = True
    subwords: Subwords | None = None
    normalise: str = "none"

    def __post_init__(self) -> None:
        check_level("level", self.level)
        check_form(self.normalise)
        if (self.level == "subword") != (self.subwords is not None):
            raise TypeError("a model of subwords is for the level subword, which needs one")

    @property
    def tokenised(self) -> bool:
        """Whether joined text has a space between its tokens, and is compared token by token."""
        return self.level in ("word", "spaced")

    @cached_property
    def _tokeniser(self) -> Tokeniser:
        return Tokeniser(self.level, self.lower, normalise=self.normalise)

    def prepared(self, text: str) -> str:
        """The text before it is split: normalised, and with `lower` in small letters."""
        text = normal(text, self.normalise)
        return text.lower() if self.lower else text

    def __call__(self, text: str) -> list[str]:
        if self.subwords is not None:
            return self.subwords(self.prepared(text))
        return self._tokeniser(text)

    def join(self, tokens: Sequence[str]) -> str:
        if self.subwords is not None:
            return self.subwords.join(tokens)
        return " ".join(tokens) if self.tokenised else "".join(tokens)

    def plain(self, text: str) -> str:
        """The text that `join` gives for its tokens: the reference of a translation."""
        if self.tokenised:
            return self.join(self(text))
        return " ".join(self.prepared(text).split())

    def to_plain(self) -> dict[str, Plain]:
        """Plain values for a checkpoint; a model of subwords is JSON text."""
        return {
            "level": self.level,
            "lower": self.lower,
            "subwords": self.subwords.model if self.subwords else None,
            "normalise": self.normalise,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> Segmenter:
        """The inverse of `to_plain`."""
        model = plain["subwords"]
        subwords = None if model is None else Subwords(model)
        return cls(plain["level"], plain["lower"], subwords, plain.get("normalise", "none"))


def check_level(name: str, level: str) -> None:
    """Raises UserError for an unknown level. name: of its setting."""
    if level not in LEVELS:
        raise UserError(f"data.{name} is {level!r}; {near(str(level), LEVELS)}")
