"""Files that are complete or absent: atomic replacement, checksums, fingerprints, and one bounded reader."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lightning_seq.errors import UserError, first_line, near
from lightning_seq.temporary import temporary_file

T = TypeVar("T")
Plain = Any
"""A value of JSON: None, bool, int, float, str, or a list or dict of these."""
DEFAULT_CACHE = "~/.cache/lightning_seq"
LARGEST, LARGEST_CACHED, LARGEST_NOTE = 1 << 28, 1 << 32, 1 << 20
"""The largest files that are read, in bytes: records and artifacts; prepared data, whose vocabulary may be large; files
of some lines, such as a configuration, a seal or a checksum."""
DEEPEST, MOST_DIGITS = 100, 100
"""The limits of nested lists and mappings, and of digits of a whole number, in a file that is read back."""
FEW_ROWS, MOST_PACKED = 5_000_000, 1000
"""The rows of a Parquet file that are read in any case, and the most bytes that one byte of it may hold."""
_EXAMINED = 1000
"""The most names of a directory that are compared with a wrong name."""


def place(path: str | Path, key: str) -> Path:
    """The path of a key, with `~` expanded.

    Raises UserError for a text that cannot be a path: empty, too long, a loop of links, an unknown user, not UTF-8.
    """
    typed = f"{key}={path}"
    if not str(path) or "\0" in str(path):
        raise UserError(f"{typed}: expected a path")
    try:
        str(path).encode()
        expanded = Path(path).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            expanded.stat()
    except UnicodeEncodeError:
        raise UserError(f"{typed}: the path is not UTF-8; rename the file") from None
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "there is no such user"
        raise UserError(f"{typed[:200]}: not a path of this system ({reason}); check it") from None
    return expanded


def default_cache() -> str:
    """The directory of prepared data, vectors and the charts' script, unless `cache=` names another one."""
    return os.environ.get("LIGHTNING_SEQ_CACHE") or DEFAULT_CACHE


def existing_file(path: str | Path, key: str, stream: bool = False) -> Path:
    """The file of a key.

    stream: admit a pipe or a terminal, such as /dev/stdin, which is read once from its beginning.
    Raises UserError for a missing file, naming similar names, a directory, a device, and a file without permission.
    """
    file, typed = place(path, key), f"{key}={path}"
    try:
        mode = file.stat().st_mode
    except PermissionError:
        raise UserError(f"{typed} may not be read: check the permissions of {file.parent}") from None
    except OSError:
        raise UserError(f"{typed} is not there{_similar_names(file) or ': give the path of a file'}") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{typed} is a directory: give a file")
    if not (stat.S_ISREG(mode) or (stream and (stat.S_ISFIFO(mode) or _is_terminal(file)))):
        raise UserError(f"{typed} is a pipe, a socket or a device: give a file")
    if not os.access(file, os.R_OK):
        raise UserError(f"{typed} may not be read: check its permissions")
    return file


def new_file(path: str | Path, key: str) -> Path:
    """The path of a key, for a file to be written. Raises UserError if it cannot be written."""
    file, typed = place(path, key).resolve(), f"{key}={path}"
    if file.is_dir():
        raise UserError(f"{typed} is a directory: give the name of a file in it")
    if not file.parent.is_dir():
        raise UserError(f"{typed}: there is no directory {file.parent}; make it first")
    if file.exists() and not file.is_file():
        raise UserError(f"{typed} is a pipe, a socket or a device: give the name of a file")
    if not os.access(file.parent, os.W_OK):
        raise UserError(f"{typed} cannot be written: check the permissions of {file.parent}")
    return file


def _is_terminal(path: Path) -> bool:
    """Whether a path is a terminal or /dev/null: devices that end, unlike /dev/zero."""
    return str(path.resolve()).startswith(("/dev/pts", "/dev/tty", "/dev/console", "/dev/null"))


def _similar_names(path: Path) -> str:
    if not path.parent.is_dir():
        return f": there is no directory {path.parent}"
    try:
        names = [other.name for other in islice(path.parent.glob(f"*{path.suffix}"), _EXAMINED)]
    except (OSError, ValueError):
        return ""
    return f"; {near(path.name, names)}" if names else ""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; on success it is flushed to disk and renamed over `path`.

    If the block raises, `path` is unchanged and the temporary file is removed; if the process is killed, the next one
    that writes `path` removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_file(path) as temporary:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Plain) -> None:
    """Write strict JSON, without NaN: pass `None` for a missing number."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(path: Path, columns: Mapping[str, object]) -> None:
    """columns: by name, lists, NumPy arrays or arrays of pyarrow, of one length."""
    import pyarrow
    from pyarrow import parquet

    with replacing(path) as temporary:
        parquet.write_table(pyarrow.table(columns), temporary)


def check_parquet(path: Path) -> int:
    """The number of rows, from the end of the file, which has the sizes of its parts.

    Raises DamagedError for a Parquet file that is not whole, or that would take far more memory than it has bytes.
    """
    from pyarrow import ArrowException, parquet

    try:
        metadata, size = parquet.read_metadata(path), path.stat().st_size
    except (ArrowException, OSError) as error:
        raise DamagedError(f"it is not Parquet ({first_line(error)})") from None
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if metadata.num_rows > max(FEW_ROWS, size) or unpacked > max(LARGEST, MOST_PACKED * size):
        raise DamagedError(f"it has {metadata.num_rows:,} rows in {size:,} bytes, expected at most one row a byte")
    return int(metadata.num_rows)


class DamagedError(ValueError):
    """A file of this package cannot be read back. The message is the reason, to follow the path."""


DAMAGE = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError)
"""The errors that a reader may raise on content of another form; `DamagedError` is one of them."""


def read_text(path: Path, most: int = LARGEST) -> str:
    """The UTF-8 text of a file of this package, of at most `most` bytes.

    Raises FileNotFoundError for a missing file, and DamagedError for a directory or a pipe, a file without permission,
    a larger file, and a text that is not UTF-8.
    """
    try:
        with open(path, "rb", opener=open_inside) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DamagedError("it is a pipe or a device, expected a file")
            if status.st_size > most:
                raise DamagedError(f"it has {status.st_size:,} bytes, expected at most {most:,}")
            content = file.read(status.st_size)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedError(f"{error.strerror or error}, expected a file") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError(f"byte {error.start:,} is not UTF-8") from None


def open_inside(path: str, flags: int) -> int:
    """An opener of files that may be planted: it follows no link out of the file's directory, and waits for no pipe.

    Raises OSError for such a link, which is not opened even if it is put there at this moment.
    """
    real = os.path.realpath(path)
    if not is_inside(real, os.path.dirname(path) or "."):
        raise OSError(errno.ELOOP, "it is a link that leads out of its directory", path)
    return os.open(real, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def is_inside(path: str | Path, directory: str | Path) -> bool:
    """Whether a path, with its links followed, is in a directory."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def read_json(path: Path, kind: type[T], most: int = LARGEST) -> T:
    """The value of a file of `write_json`. kind: dict or list.

    Raises FileNotFoundError for a missing file, and DamagedError as `read_text` and `parse_json` do.
    """
    return parse_json(read_text(path, most), kind)


def parse_json(text: str, kind: type[T]) -> T:
    """The value of a JSON text, with None for numbers that are not finite (NaN, 1e999).

    Raises DamagedError for a text that is not JSON, a value of another kind, more than `DEEPEST` nested lists and
    mappings, a whole number of more than `MOST_DIGITS` digits, and half a surrogate pair.
    """
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise DamagedError(f"it is not JSON: {error}") from None
    check_form(value, kind, len(text))
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise DamagedError("it holds half of a surrogate pair, which is no character") from None
    return value


def read_yaml(path: Path) -> dict[str, Plain]:
    """The mapping in a YAML file of at most `LARGEST_NOTE` bytes: plain values, under the rules of `parse_json`.

    Raises FileNotFoundError for a missing file, and DamagedError.
    """
    import yaml

    text = read_text(path, LARGEST_NOTE)
    try:
        value = yaml.safe_load(text)
        check_form(value, dict, len(text))
        parse_json(json.dumps(value), dict)
    except DamagedError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except Exception as error:  # YAML's reader may raise any error on damaged text
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
    return DamagedError(f"it holds more than {DEEPEST} nested lists and mappings")


def check_form(value: Plain, kind: type, most: int) -> None:
    """Raises DamagedError for another kind, too many levels, or more than `most` lists and mappings.

    Only YAML's aliases can make more of them than the text has characters.
    """
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
            raise DamagedError("its aliases repeat too many parts")
    raise _too_deep()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Plain) -> str:
    """Sixteen hex digits for a plain value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def finite(value: float) -> float | None:
    """The number, or None if it is not finite: JSON has no NaN."""
    return float(value) if math.isfinite(value) else None
