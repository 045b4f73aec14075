"""What may stand in the place of a file that was written here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

CONTENTS = {
    "deep": (b"[" * 100_000, "inside each other"),
    "deep and closed": (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "inside each other"),
    "digits": (b'{"a": ' + b"9" * 10_000 + b"}", "a number of 10,000 digits"),
    "a list": (b"[1, 2]", "a list, expected a mapping"),
    "a number": (b"7", "a single value, expected a mapping"),
    "not UTF-8": (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
    "cut": (b'{"a": [1, ', "not JSON"),
    "empty": (b"", "not JSON"),
    "half a character": (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
}
"""Of a JSON file that is to hold a mapping; and what is said of it."""


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


PLACES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a directory": (Path.mkdir, "Is a directory"),
    "a pipe": (_pipe, "a pipe or a device"),
    "a dangling link": (_dangling, "is not there"),
}
"""What is no file, and what is said of it."""

DAMAGES = (*CONTENTS, *PLACES)


def damage(path: Path, kind: str) -> str:
    """Put one of these in the place of a file; return what is to be said of it."""
    path.unlink(missing_ok=True)
    if kind in PLACES:
        put, said = PLACES[kind]
        put(path)
        return said
    content, said = CONTENTS[kind]
    path.write_bytes(content)
    return said
