"""A written text against its references, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from lightning_seq.records.translation import LONGEST_TEXT
from lightning_seq.report.dashboard.templates import shortened

Pieces = list[tuple[str, bool]]
"""The words of a text in pieces, and whether the reference has them at the same place."""


def compared(text: str, references: Sequence[str]) -> Pieces:
    """The text against the reference with the most words in common; without references all is equal."""
    words = shortened(text, LONGEST_TEXT).split()
    if not references:
        return [(" ".join(words), True)]
    expected = (shortened(reference, LONGEST_TEXT).split() for reference in references)
    matchers = [SequenceMatcher(None, reference, words, autojunk=False) for reference in expected]
    return [
        (" ".join(words[first:last]), kind == "equal")
        for kind, _, _, first, last in max(matchers, key=SequenceMatcher.ratio).get_opcodes()
        if first < last
    ]
