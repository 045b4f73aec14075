"""The case of a word: lower, capitalised, all capitals, mixed, with a digit."""

from __future__ import annotations

CASES = ("other", "lower", "Capitalised", "ALL CAPS", "miXed", "has digit")
"""The cases, by the number that `case_of` returns."""


def case_of(token: str) -> int:
    """The index in `CASES`. A digit decides before letters do; a single capital counts as Capitalised."""
    if any(character.isdigit() for character in token):
        return 5
    letters = [character for character in token if character.lower() != character.upper()]
    small = [character.islower() for character in letters]
    if not letters:
        return 0
    if all(small):
        return 1
    if not small[0] and all(small[1:]):
        return 2
    return 4 if any(small) else 3
