"""Sentences as columns, as the shared tasks of CoNLL had them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPACE = re.compile(r"[ \t\n\r\v\f]+")
_FIELD = re.compile(r"[^ \t\n\r]+")


def fields(text: str) -> list[str]:
    """The parts of a text that spaces, tabs and line ends separate, as `conlleval` has it.

    `str.split` also splits at a no-break space (in `10\u00a0000`), U+3000 and U+0085, which belong to a token.
    """
    return _FIELD.findall(text)


def conll(sentences: Iterable[Iterable[Sequence[str]]]) -> str:
    """A line for each token, its columns apart by a space, and an empty line behind each sentence.

    ASCII white space inside a column is written as `_`, an empty column too. `conlleval` reads the last two columns.
    """
    return "".join("".join(_line(columns) for columns in sentence) + "\n" for sentence in sentences)


def _line(columns: Sequence[str]) -> str:
    return " ".join(_SPACE.sub("_", column) or "_" for column in columns) + "\n"
