"""Lines of text, read by one rule from files and from standard input.

UTF-8 unless another encoding is given; a byte order mark is left out; only a line feed ends a line, and the carriage
returns before it belong to the end. So a line has the same number here, in an editor and in a file of references.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lightning_seq.errors import UserError

_MARKS = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_OTHERS = ("cp1252", "cp1251", "shift_jis", "gb18030", "euc_kr", "big5")
"""Encodings that are tried on a file that is not UTF-8; the first ones that fit are named."""
_NAMED = 3


def lines_of(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """The lines of a binary stream, one by one as they come, without their ends.

    name: of the stream, for people.
    Raises UserError, with the line, for bytes that are not UTF-8.
    """
    for number, content in enumerate(stream, 1):
        try:
            line = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{name}, line {number}: {_not_utf8(content, error)}") from None
        yield (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")


def read_text(path: Path, encoding: str = "utf-8", key: str | None = None) -> str:
    """A file's text without a byte order mark; line ends are left as they are.

    key: the setting that names the encoding, for messages; None where there is no such setting.
    Raises UserError for an encoding that is unknown, and for a file that is unreadable or not in that encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise UserError(f"{key} is {encoding!r}: expected one that Python knows, such as cp1252") from None
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        if isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8":
            reason = _not_utf8(content, error) + (f", or give {key}=ENCODING" if key else "")
        else:
            reason = f"not {encoding} ({error}): give another {key}"
        raise UserError(f"{path}, line {line}: {reason}") from None


def read_lines(path: Path, encoding: str = "utf-8", key: str | None = None) -> list[str]:
    """The lines of a file, without their ends. Raises UserError as `read_text` does."""
    return split_lines(read_text(path, encoding, key))


def split_lines(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    *ended, last = text.split("\n")
    return [line.rstrip("\r") for line in (*ended, *([last] if last else []))]


def _not_utf8(content: bytes, error: UnicodeDecodeError) -> str:
    """What is wrong with content that is not UTF-8, and how other encodings read the first word that is wrong."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return f"{encoding} by its byte order mark, expected utf-8: save it as UTF-8"
    begin = content.rfind(b"\n", 0, error.start) + 1
    readings = []
    for encoding in _OTHERS:
        try:
            content.decode(encoding)
            rest, before = (content[begin:end].decode(encoding) for end in (None, error.start))
        except UnicodeDecodeError:
            continue
        word = re.match(r"\s*\S*", rest[before.rfind(" ") + 1 :])
        readings.append(f"{encoding} reads {word[0] if word else ''!r}")
    known = ", ".join(readings[:_NAMED]) or "no encoding that was tried reads it"
    return f"not UTF-8 (byte {error.start + 1} is 0x{content[error.start]:02x}; {known}): save it as UTF-8"
