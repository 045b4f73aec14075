"""Sentences without their marks and capitals, and the tags that restore these."""

from __future__ import annotations

import re

MARKS = ",.;:?!"
PLAIN, CAPITAL = "O", "Cap"
TAGS = (PLAIN, CAPITAL, *(tag for mark in MARKS for tag in (mark, f"{mark}+{CAPITAL}")))
"""All tags: nothing to restore; a capital; a mark after the word; both, as `,+Cap`."""

_APOSTROPHES = str.maketrans("’", "'")
_WORD = re.compile(r"\w+(?:['-]\w+)*")


def bare_words(text: str) -> list[str]:
    """The words of a text in small letters, with the apostrophes and hyphens inside them and no other mark."""
    return [word.lower() for word in _WORD.findall(text.translate(_APOSTROPHES))]


def tagged(text: str) -> tuple[list[str], list[str]]:
    """Bare words, and for each of them a tag of `TAGS`.

    Of several marks after a word (`?)`, `."'`) the first of `MARKS` counts; brackets, quotation marks and dashes do
    not. The first letter decides on the capital: `LORD` is Cap as `Lord` is.
    """
    text = text.translate(_APOSTROPHES)
    matches = list(_WORD.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)]
    words, tags = [], []
    for match, end in zip(matches, ends, strict=True):
        mark = next((character for character in text[match.end() : end] if character in MARKS), "")
        capital = CAPITAL if match[0][0].isupper() else ""
        words.append(match[0].lower())
        tags.append("+".join(part for part in (mark, capital) if part) or PLAIN)
    return words, tags
