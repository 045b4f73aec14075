"""Sentences as columns, as the shared tasks of CoNLL had them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPACE = re.compile(r"\s+")


def conll(sentences: Iterable[Iterable[Sequence[str]]]) -> str:
    """A line for each token, its columns apart by a space, and an empty line behind each sentence.

    White space inside a column is written as `_`, an empty column too. `conlleval` reads the last two columns.
    """
    return "".join("".join(_line(columns) for columns in sentence) + "\n" for sentence in sentences)


def _line(columns: Sequence[str]) -> str:
    return " ".join(_SPACE.sub("_", column) or "_" for column in columns) + "\n"
