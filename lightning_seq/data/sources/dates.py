"""Dates in words, in several languages, to dates in digits, with the links between their characters."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import cycle, pairwise
from typing import Annotated

import babel
import numpy as np
from babel import Locale, UnknownLocaleError
from babel.dates import DateTimeFormat, tokenize_pattern
from babel.localedata import locale_identifiers

from lightning_seq.data.sources.pairs import Link, PairTable, linked_pairs
from lightning_seq.data.sources.synthetic import Synthetic, different
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.value_types import Range

Year = Annotated[int, Range(1000, 9999)]
LANGUAGES = ("en", "de", "fr", "es", "it")
FORMATS = ("full", "long", "medium")
SKELETONS = ("yMMMEd", "yMMMMEEEEd")
_DAYS = {"train": 0.8, "validation": 0.1, "test": 0.1}
"""The share of all days that each split draws from."""
_ISO = {"y": (0, 4), "M": (5, 7), "L": (5, 7), "d": (8, 10)}
"""The characters of the field of a pattern in `2026-03-05`."""
_SOME_YEAR, _MONDAY = 2000, 3
"""3 January 2000 was a Monday."""
_MONTH = ("MMM", "MMMM", "LLL", "LLLL")

Pattern = tuple[tuple[str, bool], ...]
"""Parts of a date: literal text (False), or a field such as `MMMM` (True)."""


@dataclass(frozen=True)
class Dates(Synthetic):
    """`thursday, march 5, 2026` to `2026-03-05`, in small letters, as the Unicode locale data (in babel) write dates.

    Each example has a day, a language and one of its formats with the month in letters, drawn at random. No text comes
    twice, and no day is in two splits, in whatever language. The digits of a year, month or day are linked with every
    character of the year, month or day in words; `-` and the day of the week with nothing.

    languages: as babel names them: `en`, `de_AT`, `hi`.
    first_year, last_year: 200 years have some 73,000 days.

    Raises UserError, too, for an unknown language, and for more examples than there are dates.
    """

    languages: Sequence[str] = LANGUAGES
    first_year: Year = 1900
    last_year: Year = 2099

    name = "dates"

    def __post_init__(self) -> None:
        super().__post_init__()
        one = isinstance(self.languages, str)
        object.__setattr__(self, "languages", (self.languages,) if one else tuple(self.languages))
        if self.last_year < self.first_year:
            raise UserError(f"data.last_year is {self.last_year}, expected at least data.first_year={self.first_year}")
        if not self.languages:
            raise UserError("data.languages is empty: expected some, such as [en,de]")
        formats = len(self._patterns)
        days = self._days(self.last_year) - self._days(self.first_year - 1)
        for split, share in _DAYS.items():
            wanted, there = self.sizes[split], int(share * days) * formats
            if 2 * wanted > there:
                raise UserError(
                    f"data.examples is {self.examples:,}, and the {split} split has {there:,} dates to draw from: "
                    "expected at least twice as many as are drawn; give more years, or more data.languages"
                )

    def describe(self) -> str:
        return f"dates ({', '.join(self.languages)})"

    def identity(self) -> Plain:
        return {
            "synthetic": self.name,
            "babel": babel.__version__,
            "languages": list(self.languages),
            "years": [self.first_year, self.last_year],
            "examples": self.examples,
            "split_seed": self.split_seed,
        }

    def load(self) -> Loaded[PairTable]:
        generator, seen = self.generator(), set[object]()
        first, last = (self._days(year) for year in (self.first_year - 1, self.last_year))
        days = generator.permutation(np.arange(first + 1, last + 1))
        ends = np.cumsum([0, *(int(share * len(days)) for share in _DAYS.values())])
        tables = {}
        for (split, size), (start, stop) in zip(self.sizes.items(), pairwise(ends), strict=True):
            own = cycle(days[start:stop].tolist())

            def draw(own: Iterator[int] = own) -> tuple[str, str, list[Link]]:
                day = datetime.date.fromordinal(next(own))
                language, pattern = self._patterns[generator.integers(len(self._patterns))]
                text, links = _written(day, language, pattern)
                return text, day.isoformat(), links

            tables[split] = linked_pairs(different(size, seen, draw))
        return Loaded(tables)

    @staticmethod
    def _days(year: int) -> int:
        """The number of a year's last day."""
        return datetime.date(year, 12, 31).toordinal()

    @cached_property
    def _patterns(self) -> list[tuple[str, Pattern]]:
        """Languages and formats; the likelihood of a language grows with the number of its formats."""
        return [(language, pattern) for language in self.languages for pattern in _patterns(language)]


def _patterns(language: str) -> list[Pattern]:
    """A language's formats with the month in letters, each once."""
    try:
        locale = Locale.parse(str(language))
    except (UnknownLocaleError, ValueError):
        choices = [name for name in locale_identifiers() if "_" not in name]
        raise UserError(f"data.languages has {language!r}; {near(str(language), choices)}") from None
    skeletons = locale.datetime_skeletons
    written = [locale.date_formats[name].pattern for name in FORMATS]
    written += [skeletons[name].pattern for name in SKELETONS if name in skeletons]
    patterns: dict[Pattern, None] = {}
    for pattern in written:
        parts = tuple(
            (str(value), False) if isinstance(value, str) else (value[0] * value[1], True)
            for _, value in tokenize_pattern(pattern)
        )
        fields = [name for name, is_field in parts if is_field]
        if any(name in _MONTH for name in fields) and {name[0] for name in fields} >= {"y", "d"}:
            patterns[parts] = None
    if not patterns:
        raise UserError(
            f"data.languages has {language!r}, which writes no date with the month in letters: expected languages such "
            f"as {', '.join(LANGUAGES)}"
        )
    return list(patterns)


def _written(day: datetime.date, language: str, pattern: Pattern) -> tuple[str, list[Link]]:
    text, links = "", []
    for name, is_field in pattern:
        part = _field(language, name, *_shown(name, day)) if is_field else _plain(name)
        if is_field and name[0] in _ISO:
            links.append((*_ISO[name[0]], len(text), len(text) + len(part)))
        text += part
    return text, links


def _shown(name: str, day: datetime.date) -> tuple[int, int, int]:
    """Year, month and day of a fixed day with the same value in this field: the name of a month is looked up once."""
    match name[0]:
        case "y":
            return day.year, 1, 1
        case "M" | "L":
            return _SOME_YEAR, day.month, 1
        case "d":
            return _SOME_YEAR, 1, day.day
        case "E" | "c":
            return _SOME_YEAR, 1, _MONDAY + day.weekday()
        case _:
            return day.year, day.month, day.day


@cache
def _field(language: str, name: str, year: int, month: int, day: int) -> str:
    return _plain(DateTimeFormat(datetime.date(year, month, day), language)[name])


def _plain(text: str) -> str:
    """Small letters, and plain spaces."""
    return re.sub(r"\s", " ", unicodedata.normalize("NFC", text).lower())
