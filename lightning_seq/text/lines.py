"""Lines of text, read by one rule from files and from standard input.

UTF-8 is the default; a byte order mark is left out; only a line feed ends a line, with the carriage returns before it.
So a line has the same number here, in an editor and in a file of references.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from lightning_seq.errors import UserError

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHERS = ("utf-8", "cp1252", "cp1251", "shift_jis", "gb18030", "euc_kr", "big5")
"""Encodings to try on a file that is not in the expected one; an error names the first of them that fit."""
_NAMED = 3
_END = "\n"


def lines_of(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """The lines of a binary stream, one by one, without their ends.

    name: of the stream, for people.
    Raises UserError, with the line, for bytes that are not UTF-8.
    """
    for number, content in enumerate(stream, 1):
        try:
            line = content.decode("utf-8")
        except UnicodeDecodeError as error:
            marked = _marked(content) if number == 1 else None
            reason = f"{marked} by its byte order mark" if marked else _not_readable(content, "utf-8", error.start)[0]
            raise UserError(f"{name}, line {number}: {reason}: expected UTF-8") from None
        yield (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")


def read_text(path: Path, encoding: str = "utf-8", key: str | None = None) -> str:
    """A file's text without a byte order mark; line ends stay.

    key: the setting of the encoding, for errors, or None.
    Raises UserError for an unknown encoding and, with the line, for a file that is unreadable, not in that encoding, or
    holds a NUL or half a surrogate pair.
    """
    check_encoding(encoding, key or "encoding")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    text, start, reason, other = _decoded(content, encoding)
    if reason:
        advice = "take it out" if reason.startswith("a NUL") else "save the file as UTF-8"
        advice += f", or give {key}={other}" if key and other else ""
        line = content.count(b"\n", 0, start) + 1
        raise UserError(f"{path}, line {line}: {reason}: {advice}")
    check_characters(f"{path}, line", text, numbered=True)
    return text


def read_lines(path: Path, encoding: str = "utf-8", key: str | None = None) -> list[str]:
    """The lines of a file, without their ends. Raises UserError as `read_text` does."""
    return split_lines(read_text(path, encoding, key))


@dataclass(frozen=True)
class FileLines:
    """The lines of a file with their line feeds, as `split_lines` cuts them: read anew each time, never all at once.

    start, stop: the numbers of the first line and of the line after the last, from 0.
    """

    path: Path
    encoding: str
    start: int
    stop: int

    @classmethod
    def of(cls, path: Path, encoding: str = "utf-8", key: str | None = None) -> FileLines:
        """All lines. Raises UserError as `read_text` does."""
        check_encoding(encoding, key or "encoding")
        whole = cls(path, encoding, 0, sys.maxsize)
        try:
            return replace(whole, stop=whole._checked())
        except (OSError, ValueError):
            return replace(whole, stop=len(read_lines(path, encoding, key)))  # which raises the error

    def _checked(self) -> int:
        """The number of lines. Raises OSError or ValueError for a file that `read_text` would not read."""
        with self.path.open("rb") as stream:
            marked = _marked(stream.read(4))
        if marked and not codecs.lookup(self.encoding).name.startswith(marked):
            raise ValueError(marked)
        count = 0
        for line in self:
            if "\0" in line:
                raise ValueError("a NUL")
            line.encode("utf-8")  # which half a surrogate pair is not
            count += 1
        return count

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[str]:
        for line in self.raw():
            yield line.rstrip("\r\n") + "\n" * line.endswith("\n")

    def raw(self) -> Iterator[str]:
        """The lines with their ends as the file has them."""
        with self.path.open(encoding=self.encoding, newline="\n") as stream:
            for number, line in enumerate(islice(stream, self.start, self.stop), self.start):
                yield line.removeprefix("\ufeff") if number == 0 else line

    def __getitem__(self, part: slice) -> FileLines:
        start, stop, _ = part.indices(len(self))
        return replace(self, start=self.start + start, stop=self.start + max(start, stop))


def split_lines(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    *ended, last = text.split("\n")
    return [line.rstrip("\r") for line in (*ended, *([last] if last else []))]


def check_line_ends(path: Path, lines: Iterable[str], marks: Sequence[str]) -> None:
    """Raises UserError for a carriage return inside a line with a second example after it.

    lines: of the file, without their ends. marks: each is in every example, such as a tab.
    """
    for number, line in enumerate(lines, 1):
        after = line.partition("\r")[2]
        if any(mark in after for mark in marks):
            raise UserError(
                f"{path}, line {number}: a carriage return inside the line: expected a line feed at the end of a line"
            )


def check_encoding(encoding: str, key: str) -> str:
    """The encoding. Raises UserError for one that Python does not know, or that is not for text."""
    try:
        b" ".decode(encoding)
    except UnicodeError:
        pass  # half a character of a known encoding
    except (LookupError, TypeError, ValueError):
        raise UserError(
            f"{key} is {encoding!r}, which Python does not know: expected one such as utf-8, utf-16, cp1252, latin-1"
        ) from None
    return encoding


def check_characters(place: str, text: str, numbered: bool = False) -> None:
    """Raises UserError for half of a surrogate pair, which JSON can hold and UTF-8 cannot.

    numbered: add the number of the line within the text to the place.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        number = f" {text.count(_END, 0, error.start) + 1}" if numbered else ""
        raise UserError(
            f"{place}{number}: \\u{ord(text[error.start]):04x} alone is half a character (a surrogate): "
            "write the character itself, or both halves"
        ) from None


def _decoded(content: bytes, encoding: str) -> tuple[str, int, str, str | None]:
    """The text without its mark; or the byte that cannot be read, the reason, and the likeliest encoding."""
    marked = _marked(content)
    if marked and not codecs.lookup(encoding).name.startswith(marked):
        return "", 0, f"{marked} by its byte order mark, expected {encoding}", marked
    wide = content.count(0) * 4 > len(content)  # a letter of UTF-16 is a NUL and another byte
    other = next((name for name in ("utf-16-le", "utf-16-be") if wide and _reads(content, name)), None)
    if other and not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return "", 0, f"utf-16 by the NULs between its letters, expected {encoding}", other
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        return "", start, *_not_readable(content, encoding, start)
    start = content.find(0) if "\0" in text else 0
    return text, start, "a NUL, which is no character of a text" if "\0" in text else "", None


def _marked(content: bytes) -> str | None:
    return next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)


def _not_readable(content: bytes, encoding: str, start: int) -> tuple[str, str | None]:
    """The error at that byte, and the likeliest encoding of the content."""
    begin = content.rfind(b"\n", 0, start) + 1
    end = content.find(b"\n", start) % (len(content) + 1)
    readings = {}
    for name in _OTHERS:
        if not _reads(content, name):
            continue
        try:
            line, before = (content[begin:stop].decode(name) for stop in (end, start))
        except UnicodeDecodeError:
            continue
        word = re.match(r"\s*\S*", line[before.rfind(" ") + 1 :])
        readings[name] = f"{name} reads {word[0] if word else ''!r}"
    known = ", ".join([*readings.values()][:_NAMED]) or "no encoding that was tried reads it"
    reason = f"not {encoding.upper()} (byte 0x{content[start]:02x}; {known})"
    return reason, next(iter(readings), None)


def _reads(content: bytes, encoding: str) -> bool:
    try:
        return "\0" not in content.decode(encoding)
    except UnicodeDecodeError:
        return False
