"""Temporary files and directories that the next process removes if their own process was killed.

A process locks what it makes (`flock`), and the system releases the lock when the process ends. On a file system
without locks nothing is removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """A new file next to `path`, with the permissions that the umask leaves; removed at the end unless renamed."""
    remove_abandoned(path.parent.glob(f".{escape(path.name)}.*.part"))

    def make(part: Path) -> None:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))

    part, handle = _locked(lambda: path.parent / f".{path.name}.{secrets.token_hex(8)}.part", make)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    """A new directory, its owner's alone, in the system's directory for temporary files; removed at the end."""
    root = Path(tempfile.gettempdir())
    remove_abandoned(root.glob(f"{escape(prefix)}*"))
    directory, handle = _locked(lambda: root / f"{prefix}{secrets.token_hex(8)}", lambda place: place.mkdir(0o700))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(handle)


def remove_abandoned(paths: Iterable[Path]) -> None:
    """Remove the files and directories of this user that no process has locked. Links are not followed."""
    for path in paths:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if os.fstat(handle).st_uid == os.geteuid():
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


def _locked(name: Callable[[], Path], make: Callable[[Path], None]) -> tuple[Path, int]:
    """A new path and the descriptor that holds its lock. Another process may remove the path before it is locked."""
    while True:
        path = name()
        make(path)
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists():
                return path, handle
            os.close(handle)
