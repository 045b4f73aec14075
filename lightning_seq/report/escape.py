"""Escape text from data for Markdown, LaTeX, JSON in a script, and addresses; templates escape HTML themselves."""

from __future__ import annotations

import html as entities
import json
import math
import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

from lightning_seq.files import Plain

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")

_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}

_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "''",
    "`": "\\textasciigrave{}",
    "[": "{[}",  # an optional argument of the \\ before it otherwise
    "]": "{]}",
    "±": "$\\pm$",
    "†": "$^{\\dagger}$",
    "−": "$-$",
    "≤": "$\\le$",
    "≥": "$\\ge$",
    "«": "``",
    "»": "''",
    "„": "``",
    "\u00a0": "~",
}
_PRINTED_BY_TEX = "–—‘’“”†‡•…‰€™←↑→↓"
_NOT_PRINTED_BY_TEX = "ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ"
"""Of Latin letters: pdfLaTeX has them only with another font encoding."""


def clean(value: object) -> str:
    """`value` as text that UTF-8 can hold: lone surrogates become question marks."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def one_line(value: object) -> str:
    """`value` on one line, without control characters (a terminal obeys some of them) or changes of direction."""
    return _DIRECTION.sub("", _CONTROL.sub(" ", clean(value))).strip()


def displayable(value: object) -> str:
    """`value` as text that a page can show: without changes of direction, which reach beyond their element."""
    return _DIRECTION.sub("", clean(value)).replace("\x00", " ")


def visible(symbol: str) -> str:
    """A symbol with signs for white space and code points for other invisible characters."""
    return "".join(
        _VISIBLE.get(character, character if character.isprintable() else f"U+{ord(character):04X}")
        for character in symbol
    )


def seen(word: str) -> str:
    """A word; one of white space alone as signs."""
    return word if word.strip() else visible(word)


def markdown_cell(value: object) -> str:
    """`value` for one cell of a Markdown table: it cannot end the cell or the row, nor turn into markup."""
    text = entities.escape(one_line(value), quote=False)
    return re.sub(r"([\\|`*\[\]~]|(?<!\w)_|_(?!\w))", r"\\\1", text)


def latex(value: object) -> str:
    """`value` for the text of a LaTeX document, on one line; signs that only mathematics has are in dollars.

    pdfLaTeX compiles it without packages: a character that it cannot print is its code point, `[U+4E2D]`.
    """
    text = "".join(map(_tex_character, unicodedata.normalize("NFC", one_line(value))))
    text = re.sub(r"(?<![\w)}\]-])-(?=\d)", "$-$", text)
    return text.replace("--", "-{}-").replace("–", "--")  # two hyphens would become one longer stroke


def _tex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    latin = "¡" <= character <= "ſ" and character not in _NOT_PRINTED_BY_TEX
    return (
        character
        if character.isascii() or latin or character in _PRINTED_BY_TEX
        else f"{{[}}U+{ord(character):04X}{{]}}"
    )


def script_json(value: Plain) -> str:
    """Strict JSON for a `<script>` element: no text in it can close the element or open a comment.

    Numbers that are not finite become null.
    """
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def link(*parts: str) -> str:
    """A relative address from path parts, with every special character of addresses quoted."""
    return "./" + quote(clean(PurePosixPath(*parts).as_posix()), safe="/")


def _finite(value: Plain) -> Plain:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
