"""One sequence of characters for what looks the same: the normal forms of Unicode (unicode.org/reports/tr15)."""

from __future__ import annotations

import unicodedata

from lightning_seq.errors import UserError, near

FORMS = ("nfc", "nfkc", "none")
"""nfc: a letter with its accent is one character where there is one. nfkc: letters of full width, ligatures and the
like are plain characters too. none: as written."""


def check_form(form: str) -> None:
    """Raises UserError for a form that there is not."""
    if form not in FORMS:
        raise UserError(f"data.normalise is {form!r}; {near(str(form), FORMS)}")


def normal(text: str, form: str) -> str:
    """The text in a form."""
    if form == "none" or text.isascii():
        return text
    return unicodedata.normalize("NFC" if form == "nfc" else "NFKC", text)
