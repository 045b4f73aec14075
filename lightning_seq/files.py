"""Files that are whole or absent: atomic replacement, checksums, fingerprints, and one bounded reader."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lightning_seq.errors import UserError, first_line, near

T = TypeVar("T")
Plain = Any
"""None, bool, int, float, str, list or dict of these: what JSON can hold."""
DEFAULT_CACHE = "~/.cache/lightning_seq"
LARGEST, LARGEST_CACHED, LARGEST_NOTE = 1 << 28, 1 << 32, 1 << 20
"""Bytes that are read of a file: of a record or an artifact; of prepared data, whose vocabulary may be large; of a file
of some lines, such as a configuration, a seal or a checksum."""
DEEPEST, MOST_DIGITS = 100, 100
"""Lists and mappings inside each other, and digits of a whole number, in a file that is read back."""
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


class DamagedError(ValueError):
    """A file that was written here cannot be read back. The message says why, in words that follow its path."""


DAMAGE = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError)
"""What a reader may raise on content of another form; `DamagedError` is one of them."""


def read_text(path: Path, most: int = LARGEST) -> str:
    """The UTF-8 text of a file that was written here, of at most `most` bytes.

    Raises FileNotFoundError where no file is there, and DamagedError for what is no regular file (a directory, a pipe),
    what may not be read, what is larger, and what is not UTF-8.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise DamagedError("it is a pipe or a device, expected a file")
            if found.st_size > most:
                raise DamagedError(f"it has {found.st_size:,} bytes, expected at most {most:,}")
            content = file.read(found.st_size)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedError(f"{error.strerror or error}, expected a file") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError(f"byte {error.start:,} is not UTF-8") from None


def _without_waiting(path: str, flags: int) -> int:
    """A pipe that nobody writes to is opened at once."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_json(path: Path, kind: type[T], most: int = LARGEST) -> T:
    """What `write_json` wrote.

    kind: dict or list, of the whole.
    Raises FileNotFoundError where no file is there, and DamagedError as `read_text` and `parse_json` do.
    """
    return parse_json(read_text(path, most), kind)


def parse_json(text: str, kind: type[T]) -> T:
    """The value of a JSON text, with None for numbers that are not finite (NaN, 1e999).

    Raises DamagedError for what is not JSON, another kind, more than `DEEPEST` lists and mappings inside each other, a
    whole number of more than `MOST_DIGITS` digits, and half a surrogate pair.
    """
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise DamagedError(f"it is not JSON: {error}") from None
    _check_form(value, kind, len(text))
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise DamagedError("it holds half of a surrogate pair, which is no character") from None
    return value


def read_yaml(path: Path) -> dict[str, Plain]:
    """The mapping in a YAML file of at most `LARGEST_NOTE` bytes: plain values, under the rules of `parse_json`.

    Raises FileNotFoundError where no file is there, and DamagedError.
    """
    import yaml

    text = read_text(path, LARGEST_NOTE)
    try:
        value = yaml.safe_load(text)
        _check_form(value, dict, len(text))
        parse_json(json.dumps(value), dict)
    except DamagedError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except Exception as error:  # what YAML's reader meets in a file of anything may raise anything
        raise DamagedError(f"it is not YAML of plain values: {first_line(error).partition('; use ')[0]}") from None
    return value


_KINDS: dict[type, str] = {dict: "a mapping", list: "a list"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise DamagedError(f"it holds a number of {len(digits):,} digits, expected at most {MOST_DIGITS}")
    return int(digits)


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _too_deep() -> DamagedError:
    return DamagedError(f"it holds more than {DEEPEST} lists and mappings inside each other")


def _check_form(value: Plain, kind: type, most: int) -> None:
    """most: lists and mappings. No text holds more of them than it has characters, but by YAML's aliases."""
    if not isinstance(value, kind):
        raise DamagedError(f"it holds {_KINDS.get(type(value), 'a single value')}, expected {_KINDS[kind]}")
    level: list[Plain] = [value]
    left = most
    for _ in range(DEEPEST):
        parts = (part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer))
        level = list(islice((part for part in parts if isinstance(part, dict | list)), left + 1))
        left -= len(level)
        if not level:
            return
        if left < 0:
            raise DamagedError("it names parts of itself again and again")
    raise _too_deep()


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


def finite(value: float) -> float | None:
    """JSON has no NaN: what is not finite is written as nothing."""
    return float(value) if math.isfinite(value) else None
