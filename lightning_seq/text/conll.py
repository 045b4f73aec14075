"""Sentences as columns, in the format of the shared tasks of CoNLL."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

_SPACE = re.compile(r"[ \t\n\r\v\f]+")
_FIELD = re.compile(r"[^ \t\n\r]+")


def fields(text: str) -> list[str]:
    """The parts of a text between spaces, tabs and line ends, as in `conlleval`.

    `str.split` also splits at a no-break space (in `10\u00a0000`), U+3000 and U+0085, which belong to a token.
    """
    return _FIELD.findall(text)


def has_a_column_of(names: Collection[str], lines: Iterable[str]) -> bool:
    """Whether these lines are tokens with columns, and a column after the first holds only `names`.

    Empty lines and comments (`# …`) are between sentences; a single line of tokens is no evidence.
    """
    rows = [fields(line) for line in lines if not line.startswith("# ")]
    rows = [row for row in rows if row]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1:
        return False
    return any(set(column) <= set(names) for column in list(zip(*rows, strict=True))[1:])


def conll(sentences: Iterable[Iterable[Sequence[str]]]) -> str:
    """A line for each token, a space between its columns, and an empty line after each sentence.

    ASCII white space inside a column is written as `_`, an empty column too. `conlleval` reads the last two columns.
    """
    return "".join("".join(_line(columns) for columns in sentence) + "\n" for sentence in sentences)


def _line(columns: Sequence[str]) -> str:
    return " ".join(_SPACE.sub("_", column) or "_" for column in columns) + "\n"
