"""From text to tokens."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.text.normalise import check_form, normal

LEVELS = ("word", "spaced", "character")
SPACES = ("join", "keep")
_NUMBER = r"\d+(?:[.,]\d+)*(?!\w)"
_PLAIN = re.compile(rf"{_NUMBER}|\w+(?:'\w+)*|[^\w\s]")
_LAST_MARK = 0x1EFFF
_JOINERS = "\u200c\u200d"


@cache
def _with_marks() -> re.Pattern[str]:
    """As `_PLAIN`, for text beyond ASCII: a combining mark (a Hindi vowel sign, an accent) belongs to its word."""
    marks = "".join(chr(code) for code in range(0x300, _LAST_MARK) if unicodedata.category(chr(code))[0] == "M")
    inner = rf"[\w{re.escape(marks + _JOINERS)}]"
    return re.compile(rf"{_NUMBER}|\w{inner}*(?:'\w{inner}*)*|[^\w\s{_JOINERS}]")


@dataclass(frozen=True)
class Tokeniser:
    """Splits text into words or characters.

    level:     `word`: words with their inner apostrophes (`don't`), numbers (`1,000.5`), and every other mark alone, so
               that `well-known` is three tokens; `spaced`: split at white space, for tokenised text; or `character`.
    lower:     small letters first.
    replace:   strings to replace before all else, as `{"<br />": " "}`.
    spaces:    of characters: `join`, a run of white space is one space and none is at an end; or `keep`, all white
               space is kept, line ends too.
    normalise: see `FORMS` of text/normalise.py; before all else.

    The typographic apostrophe of words counts as the plain one. For scripts without spaces use characters. Raises
    UserError for another level and for other spaces.
    """

    level: str = "word"
    lower: bool = True
    replace: Mapping[str, str] = field(default_factory=dict, hash=False)
    spaces: str = "join"
    normalise: str = "none"

    def __post_init__(self) -> None:
        check_form(self.normalise)
        for name, value, choices in (("level", self.level, LEVELS), ("spaces", self.spaces, SPACES)):
            if value not in choices:
                raise UserError(f"the tokeniser's {name} is {value!r}: {near(str(value), choices)}")
        if not all(isinstance(part, str) and part for part in self.replace):
            raise UserError("the tokeniser's replace has an empty string: expected {text: replacement}")

    def __call__(self, text: str) -> list[str]:
        return self._split(text)

    def spaces_before(self, text: str, tokens: Sequence[str]) -> list[bool]:
        """Whether white space precedes each of the words of a text, `tokens`."""
        text, end, spaces = self._clean(text), 0, []
        for token in tokens:
            start = text.index(token, end)
            spaces.append(text[end:start].strip(_JOINERS) != "")
            end = start + len(token)
        return spaces

    @cached_property
    def _clean(self) -> Callable[[str], str]:
        """The text whose parts are tokens."""
        form, lower, typographic = self.normalise, self.lower, self.level == "word"
        replace = [(normal(old, form), normal(new, form)) for old, new in self.replace.items()]

        def clean(text: str) -> str:
            text = normal(text, form)
            for old, new in replace:
                text = text.replace(old, new)
            if lower:
                text = text.lower()
            return text.replace("’", "'") if typographic else text

        return clean

    @cached_property
    def _split(self) -> Callable[[str], list[str]]:
        clean, level, keep, plain = self._clean, self.level, self.spaces == "keep", _PLAIN.findall

        def split(text: str) -> list[str]:
            text = clean(text)
            if level == "character":
                return list(text if keep else " ".join(text.split()))
            if level == "spaced":
                return text.split()
            return plain(text) if text.isascii() else _with_marks().findall(text)

        return split

    def __getstate__(self) -> dict[str, Plain]:
        return self.to_plain()

    def __setstate__(self, state: dict[str, Plain]) -> None:
        self.__dict__.update(state)

    def to_plain(self) -> dict[str, Plain]:
        """Plain values for a checkpoint; keys that older checkpoints lack only where the value is not the default."""
        plain: dict[str, Plain] = {"level": self.level, "lower": self.lower, "replace": dict(self.replace)}
        newer = {"spaces": (self.spaces, "join"), "normalise": (self.normalise, "none")}
        return plain | {name: value for name, (value, usual) in newer.items() if value != usual}

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> Tokeniser:
        """The inverse of `to_plain`."""
        return cls(**plain)
