"""Word vectors in files of other programs: every value in such a file is checked."""

from __future__ import annotations

import math
import mmap
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from lightning_seq.embeddings.vectors import Vectors, load
from lightning_seq.errors import UserError
from lightning_seq.files import replacing
from lightning_seq.text.conll import fields
from lightning_seq.text.normalise import normal

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_LINE = 1 << 24
LONGEST_WORD = 1 << 16
_SAMPLE = 1 << 16
_FOREIGN = {
    b"\x1f\x8b": "is compressed (gzip): unpack it first",
    b"PK\x03\x04": "is a zip file: unpack it first",
    b"BZh": "is compressed (bzip2): unpack it first",
    b"\xba\x16\x4f\x2f": "is a fastText .bin model: give the .vec file instead",
    b"\x80": "is not a text (a pickle, perhaps, and those are never read): save it as word2vec text",
}


def read_vectors(
    path: Path, width: int | None = None, keep: Collection[str] | None = None, normalise: str = "none"
) -> Vectors:
    """Read word2vec text or binary, GloVe text, fastText `.vec`, or a directory written by `vectors.save`.

    width: the expected E; None: any.
    keep:  the words that are needed; None: all. Of other words only the number of values is checked.
    normalise: the form of Unicode for words (see text/normalise.py); of two equal words in it the first counts.

    A byte order mark is left out, and so are words that are not UTF-8 (word2vec.c cuts long words inside a character);
    `meta["not_utf8"]` is their number.

    Raises UserError, with the line or byte, for a header with another number of words or values, a value that is not a
    finite number, a word that comes twice, an early end; and where no word is UTF-8.
    """
    if path.is_dir():
        vectors = _normalised(load(path), normalise)
        _check_width(path, vectors.width, width)
        return vectors if keep is None else vectors.only(keep)
    try:
        with path.open("rb") as file:
            return _read(path, file, width, keep, normalise)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: expected a file of word vectors") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def write_word2vec_text(vectors: Vectors, path: Path) -> None:
    """Write the format that gensim and most others read: a header, then a word and its values a line.

    Each value has the digits that give the same float32 back. Raises UserError for a word with white space in it.
    """
    bad = next((word for word in vectors.words if fields(word) != [word]), None)
    if bad is not None:
        raise UserError(
            f"word2vec text cannot hold the word {bad!r}, because spaces separate its values: use the directory"
        )
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{len(vectors.words)} {vectors.width}\n")
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            file.write(f"{word} {' '.join(f'{value:.9g}' for value in row.tolist())}\n")


@dataclass
class _Rows:
    """The rows read so far."""

    path: Path
    keep: Collection[str] | None
    form: str
    words: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    spelt: set[str] = field(default_factory=set)
    values: array[float] = field(default_factory=lambda: array("f"))
    readable: bool = False
    not_utf8: int = 0

    def fail(self, place: str, message: str) -> NoReturn:
        raise UserError(f"{self.path}, {place}: {message}")

    def word(self, raw: bytes, place: str) -> str | None:
        """The word, or None where it is not needed or not UTF-8."""
        try:
            word = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.not_utf8 += 1
            return None
        self.readable = True
        if not word:
            self.fail(place, "the word before the values is missing")
        spelt, word = word, normal(word, self.form)
        if self.keep is not None and word not in self.keep:
            return None
        if spelt in self.spelt:
            self.fail(place, f"the word {spelt!r} comes a second time: each word may have one vector")
        self.spelt.add(spelt)
        return None if word in self.seen else word

    def add(self, word: str, row: array[float], place: str) -> None:
        # In double precision a sum of float32 values is finite exactly when all of them are.
        if not math.isfinite(sum(row)):
            self.fail(place, f"the vector of {word!r} holds NaN or infinity")
        self.words.append(word)
        self.seen.add(word)
        self.values.extend(row)

    def vectors(self, width: int, form: str) -> Vectors:
        if self.not_utf8 and not self.readable:
            raise UserError(f"{self.path}: none of its words is UTF-8: save the file as UTF-8")
        matrix = np.array(self.values, dtype=np.float32).reshape(len(self.words), width)
        meta = {"file": self.path.name, "format": form, "not_utf8": self.not_utf8}
        return Vectors(tuple(self.words), matrix, None, meta)


def _read(path: Path, file: BinaryIO, width: int | None, keep: Collection[str] | None, form: str) -> Vectors:
    first = file.readline(LONGEST_LINE)
    begin = len(_BYTE_ORDER_MARK) if first.startswith(_BYTE_ORDER_MARK) else 0
    first = first[begin:]
    if not first.strip():
        raise UserError(f"{path} is empty or begins with an empty line: expected word vectors")
    for magic, message in _FOREIGN.items():
        if first.startswith(magic):
            raise UserError(f"{path} {message}")
    rows = _Rows(path, keep, form)
    header = _header(first)
    if header is None:
        own_width = len(first.rstrip(b" \r\n").split(b" ")) - 1
        if own_width < 1:
            rows.fail("line 1", "expected a header (two whole numbers), or a word and its values with spaces between")
        _check_width(path, own_width, width)
        file.seek(begin)
        return _read_text(file, rows, own_width, None)
    count, own_width = header
    if own_width < 1:
        rows.fail("line 1", f"the header says {count} words of {own_width} values: expected at least one value")
    _check_width(path, own_width, width)
    if _looks_like_text(file, begin + len(first)):
        return _read_text(file, rows, own_width, count)
    return _read_binary(file, rows, own_width, count, begin + len(first))


def _normalised(vectors: Vectors, form: str) -> Vectors:
    rows: dict[str, int] = {}
    for row, word in enumerate(vectors.words):
        rows.setdefault(normal(word, form), row)
    return vectors if tuple(rows) == vectors.words else vectors.select(rows)


def _check_width(path: Path, own_width: int, expected: int | None) -> None:
    if expected is not None and own_width != expected:
        raise UserError(
            f"{path} has vectors of width {own_width}, expected {expected}: give another file, "
            f"or set embedding.size={own_width}"
        )


def _header(line: bytes) -> tuple[int, int] | None:
    """Words and width, if the line is two whole numbers."""
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() and len(part) < 19 for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def _looks_like_text(file: BinaryIO, start: int) -> bool:
    """Whether the line after the header is a word and numbers in digits, or no control byte follows."""
    line = file.readline(_SAMPLE)
    sample = line + file.read(_SAMPLE - len(line))
    file.seek(start)
    parts = line.rstrip(b" \r\n").split(b" ")  # a word may hold a form feed
    if len(parts) > 1 and _number(parts[-1]) is not None and _number(parts[1]) is not None:
        return True
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3:
            return False
    return not any(byte < 32 and byte not in b"\t\n\r" for byte in sample)


def _number(text: bytes) -> float | None:
    try:
        return float(text) if b"_" not in text else None
    except ValueError:
        return None


def _lines(file: BinaryIO, number: int) -> Iterator[tuple[int, bytes]]:
    while line := file.readline(LONGEST_LINE):
        yield number, line.rstrip(b" \r\n")
        number += 1


def _read_text(file: BinaryIO, rows: _Rows, width: int, count: int | None) -> Vectors:
    """A word and `width` values a line. A word of GloVe may hold spaces; with a header no word does."""
    blank, read = 0, 0
    for number, line in _lines(file, 1 if count is None else 2):
        place = f"line {number}"
        if not line:
            blank = blank or number
            continue
        if blank:
            rows.fail(
                f"line {blank}",
                "is empty: expected a word and its values on every line; is this a file of word vectors?",
            )
        if read == count:
            rows.fail(place, f"the header says {count} words, and there are more")
        read += 1
        spaces = line.count(b" ")
        parts = line.rsplit(b" ", width)
        spaced = spaces > width and count is None and _number(parts[0].rsplit(b" ", 1)[1]) is None
        if spaces != width and not spaced:
            rows.fail(place, f"has {spaces} values, expected {width}: each word has as many as the first line says")
        word = rows.word(parts[0], place)
        if word is None:
            continue
        try:
            values = array("f", map(float, parts[1:]))
        except ValueError:
            values = array("f")
        if not values or b"_" in b"".join(parts[1:]):
            bad = next(part for part in parts[1:] if _number(part) is None)
            rows.fail(place, f"{bad[:40].decode('utf-8', 'replace')!r} is not a number")
        rows.add(word, values, place)
    if count is not None and read < count:
        rows.fail(f"line {read + 2}", f"the file ends after {read} words, the header says {count}: is it whole?")
    return rows.vectors(width, "text" if count is None else "word2vec text")


def _read_binary(file: BinaryIO, rows: _Rows, width: int, count: int, start: int) -> Vectors:
    """A word, a space, and `width` little-endian float32 values; a line feed before the word is optional."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size, at = len(data), start
        # A word takes at least one byte, a space and its values.
        if count * (4 * width + 2) > size - start:
            rows.fail(
                "line 1",
                f"the header says {count} words of {width} values, which need {count * (4 * width + 2)} bytes, "
                f"and {size - start} follow: is the file whole?",
            )
        for _ in range(count):
            while data[at : at + 1] == b"\n":
                at += 1
            place = f"byte {at}"
            space = data.find(b" ", at, at + LONGEST_WORD)
            if space < 0:
                rows.fail(place, f"the header says {count} words: expected a word and a space here")
            raw, at = data[at:space], space + 1 + 4 * width
            if at > size:
                rows.fail(f"byte {size}", f"the file ends within the vector of {raw[:40]!r}: is it whole?")
            word = rows.word(raw, place)
            if word is not None:
                rows.add(word, array("f", np.frombuffer(data[space + 1 : at], "<f4").tolist()), f"byte {space + 1}")
        if data[at:].strip():
            rows.fail(f"byte {at}", f"{size - at} bytes are left after the {count} words that the header says")
    return rows.vectors(width, "word2vec binary")
