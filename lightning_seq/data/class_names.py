"""Checks of the names of classes and tags."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from lightning_seq.errors import UserError

LONGEST = 1000
"""The most characters of a name."""


def check_names(place: str, names: Iterable[str], key: str) -> None:
    """Raises UserError for a name that is too long or invisible, and for two names that look the same.

    place: of the names, for people. key: the setting of their column.
    """
    by_look: dict[str, str] = {}
    for name in sorted(names):
        if len(name) > LONGEST:
            raise UserError(
                f"{place}: a class has a name of {len(name):,} characters, {name[:40]!r} …, expected at most "
                f"{LONGEST:,}: check {key}"
            )
        look = _look(name)
        other = by_look.setdefault(look, name)
        if not look or other != name:
            reason = f"looks the same as {other!a}" if look else "has no visible character"
            raise UserError(
                f"{place}: the name {name!a} of a class {reason}: expected one spelling for each class; check {key}"
            )


def _look(name: str) -> str:
    """A name without invisible characters, such as U+200B, in one Unicode form."""
    visible = (one for one in unicodedata.normalize("NFC", name) if unicodedata.category(one) != "Cf")
    return " ".join("".join(visible).split())
