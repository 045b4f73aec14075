"""The normal forms of Unicode: texts that look the same have the same characters (unicode.org/reports/tr15)."""

from __future__ import annotations

import unicodedata

from lightning_seq.errors import UserError, near

FORMS = ("nfc", "nfkc", "none")
"""nfc: a letter with its accent is one character where Unicode has one. nfkc: letters of full width and ligatures also
become plain characters. none: unchanged."""


def check_form(form: str) -> None:
    """Raises UserError for an unknown form."""
    if form not in FORMS:
        raise UserError(f"data.normalise is {form!r}; {near(str(form), FORMS)}")


def normal(text: str, form: str) -> str:
    """The text in a form."""
    if form == "none" or text.isascii():
        return text
    return unicodedata.normalize("NFC" if form == "nfc" else "NFKC", text)
