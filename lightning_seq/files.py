"""Files that are whole or absent: atomic replacement, checksums, fingerprints."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from lightning_seq.errors import UserError, near

Plain = Any
"""None, bool, int, float, str, list or dict of these: what JSON can hold."""
DEFAULT_CACHE = "~/.cache/lightning_seq"
_LOOKED_AT = 1000
"""Names of a directory that are looked at for near ones."""


def place(path: str | Path, key: str) -> Path:
    """The path that a key names, its `~` read.

    Raises UserError for what no system takes as a path: an empty one, a name too long, a loop of links, a user that is
    not there, bytes that are not UTF-8.
    """
    said = f"{key}={path}"
    if not str(path) or "\0" in str(path):
        raise UserError(f"{said}: expected a path")
    try:
        str(path).encode()
        found = Path(path).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            found.stat()
    except UnicodeEncodeError:
        raise UserError(f"{said}: the path is not UTF-8; rename the file") from None
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "there is no such user"
        raise UserError(f"{str(said)[:200]}: no path of this system ({reason}); check it") from None
    return found


def default_cache() -> str:
    """Where prepared data, vectors and the charts' script are kept, unless `cache=` says otherwise."""
    return os.environ.get("LIGHTNING_SEQ_CACHE") or DEFAULT_CACHE


def existing_file(path: str | Path, key: str, stream: bool = False) -> Path:
    """The file that a key names.

    stream: whether a pipe or a terminal, such as /dev/stdin, is a file too: one that is read once, from its beginning.
    Raises UserError, naming the near ones, for a file that is not there, a directory, a device, and one that may not be
    read.
    """
    found, said = place(path, key), f"{key}={path}"
    try:
        mode = found.stat().st_mode
    except PermissionError:
        raise UserError(f"{said} may not be read: check the permissions of {found.parent}") from None
    except OSError:
        near_names = _near_names(found)
        raise UserError(f"{said} is not there{near_names or ': give the path of a file'}") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{said} is a directory: give a file")
    if not (stat.S_ISREG(mode) or (stream and (stat.S_ISFIFO(mode) or _is_terminal(found)))):
        raise UserError(f"{said} is a pipe, a socket or a device: give a file")
    if not os.access(found, os.R_OK):
        raise UserError(f"{said} may not be read: check its permissions")
    return found


def new_file(path: str | Path, key: str) -> Path:
    """The path of a file that a key asks to be written. Raises UserError where none can be."""
    found, said = place(path, key).resolve(), f"{key}={path}"
    if found.is_dir():
        raise UserError(f"{said} is a directory: give the name of a file in it")
    if not found.parent.is_dir():
        raise UserError(f"{said}: there is no directory {found.parent}; make it first")
    if found.exists() and not found.is_file():
        raise UserError(f"{said} is a pipe, a socket or a device: give the name of a file")
    if not os.access(found.parent, os.W_OK):
        raise UserError(f"{said} cannot be written: check the permissions of {found.parent}")
    return found


def _is_terminal(path: Path) -> bool:
    """Whether a path is a terminal or the empty device, and no device that never ends."""
    return str(path.resolve()).startswith(("/dev/pts", "/dev/tty", "/dev/console", "/dev/null"))


def _near_names(path: Path) -> str:
    if not path.parent.is_dir():
        return f": there is no directory {path.parent}"
    try:
        names = [other.name for other in islice(path.parent.glob(f"*{path.suffix}"), _LOOKED_AT)]
    except (OSError, ValueError):
        return ""
    return f"; {near(path.name, names)}" if names else ""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed over `path`.

    When the block raises, `path` is as it was and the temporary file is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Plain) -> None:
    """Write strict JSON (no NaN: pass `None` where a number is missing)."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(path: Path, columns: dict[str, Any]) -> None:
    """columns: by name, lists, NumPy arrays or pyarrow's, equally long."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(columns)
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(value: Plain) -> str:
    """Sixteen hex digits that stand for a plain value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


SEAL = "sums.json"
_LONGEST_SEAL = 1 << 20
"""Bytes: a seal holds a line for each of some dozen files."""


def sealed_directory(target: Path, build: Callable[[Path], None]) -> Path:
    """Return `target`, built by `build(directory)` unless a whole one is there already.

    A directory is whole when its `sums.json` lists every file with its SHA-256 and they all agree: a damaged or half
    built one is built again. Builders in several processes wait for one another.
    """
    from filelock import FileLock

    if is_whole(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cache directory {target.parent} cannot be written ({error.strerror}): give another one with cache=DIR"
        ) from error
    with FileLock(target.parent / f".{target.name}.lock"):
        if is_whole(target):
            return target
        for left in target.parent.glob(f".{target.name}.*.part"):  # of builders that were killed
            shutil.rmtree(left, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
        try:
            build(partial)
            write_json(partial / SEAL, {name: sha256(partial / name) for name in sorted(_names(partial))})
            if target.exists():
                shutil.rmtree(target)
            partial.chmod(0o755)
            partial.replace(target)
        finally:
            with suppress(OSError):
                shutil.rmtree(partial)
    return target


def is_whole(directory: Path) -> bool:
    """Whether the directory's `sums.json` names every file of it, and no other, with its checksum."""
    try:
        if (directory / SEAL).stat().st_size > _LONGEST_SEAL:
            return False
        sums = json.loads((directory / SEAL).read_text(encoding="utf-8"))
        if not sums or sums.keys() != _names(directory) - {SEAL}:
            return False
        return all(sha256(directory / name) == value for name, value in sums.items())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _names(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
