"""Damaged contents of JSON files, and things other than a file at a file's path; the reason that a reader gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lightning_seq.files import sha256, write_json
from lightning_seq.sealed import SEAL

CONTENTS = {
    "deep": (b"[" * 100_000, "nested"),
    "deep and closed": (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "nested"),
    "digits": (b'{"a": ' + b"9" * 10_000 + b"}", "a number of 10,000 digits"),
    "a list": (b"[1, 2]", "a list, expected a mapping"),
    "a number": (b"7", "a single value, expected a mapping"),
    "not UTF-8": (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
    "cut": (b'{"a": [1, ', "not JSON"),
    "empty": (b"", "not JSON"),
    "half a character": (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
}
"""Each kind of damage to a JSON file of a mapping: the bytes, and the reason that its reader gives."""


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


NO_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a directory": (Path.mkdir, "Is a directory"),
    "a pipe": (_pipe, "a pipe or a device"),
    "a dangling link": (_dangling, "is not there"),
}
"""Each kind of path without a file: the function that makes it, and the reason that a reader gives."""

DAMAGES = (*CONTENTS, *NO_FILES)


def damage(path: Path, kind: str) -> str:
    """Replace a file by a damaged one, or by something other than a file. Return the reason that its reader gives."""
    path.unlink(missing_ok=True)
    if kind in NO_FILES:
        make, reason = NO_FILES[kind]
        make(path)
        return reason
    content, reason = CONTENTS[kind]
    path.write_bytes(content)
    return reason


def seal(directory: Path) -> None:
    """Write the checksums of a damaged cache, as `sealed_directory` does, so that its files are read."""
    write_json(directory / SEAL, {path.name: sha256(path) for path in directory.iterdir() if path.name != SEAL})
