"""Word vectors in the formats people share: word2vec text and binary, GloVe, fastText `.vec`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lightning_seq.embeddings.vectors import TENSORS, Vectors, load
from lightning_seq.errors import UserError
from lightning_seq.files import replacing

LONGEST_LINE = 1 << 20
LONGEST_WORD = 1 << 12


def write_word2vec_text(vectors: Vectors, path: Path) -> None:
    """A header `V E`, then a word and its numbers on each line."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"{len(vectors.words)} {vectors.matrix.shape[1]}\n")
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            file.write(f"{word} {' '.join(repr(float(value)) for value in row)}\n")


def read_vectors(path: Path, width: int | None = None, keep: Collection[str] | None = None) -> Vectors:
    """Read a file of vectors, or the directory of an artifact.

    width: what the vectors must be, or None.
    keep:  the words to keep, or None for all; the others take no memory.

    The format is found from the content. Raises UserError with the line or byte for a header that does not fit the
    file, a number that is not one, NaN, a word twice, a row of another width, a file that is cut short, and text that
    is not UTF-8. Nothing is allocated because a header says so.
    """
    if path.is_dir() or path.name == TENSORS:
        vectors = load(path if path.is_dir() else path.parent)
    elif not path.is_file():
        raise UserError(f"{path} is not there: expected word2vec, GloVe or fastText vectors")
    elif not path.stat().st_size:
        raise UserError(f"{path} is empty: expected word2vec, GloVe or fastText vectors")
    else:
        with path.open("rb") as file:
            vectors = _read(path, file, keep)
    if width is not None and vectors.matrix.shape[1] != width:
        raise UserError(f"{path} has vectors of width {vectors.matrix.shape[1]}, expected {width}: use another file")
    return vectors


def _read(path: Path, file: BinaryIO, keep: Collection[str] | None) -> Vectors:
    first = file.readline(LONGEST_LINE)
    header = first.split()
    if len(header) != 2 or not all(part.isdigit() for part in header):
        file.seek(0)
        return _gather(path, _text_rows(path, file, None, 1), None, keep)
    count, width = int(header[0]), int(header[1])
    if not count or not width:
        raise UserError(f"{path}, line 1: the header says {count} vectors of width {width}")
    start = file.tell()
    if _is_binary(file.read(1 << 14), width):
        file.seek(start)
        least = start + count * (4 * width + 2)
        if path.stat().st_size < least:
            raise UserError(
                f"{path}: the header says {count} vectors of width {width}, at least {least:,} bytes; "
                f"the file has {path.stat().st_size:,}: it is cut short, or not word2vec binary"
            )
        return _gather(path, _binary_rows(path, file, count, width), count, keep)
    file.seek(start)
    return _gather(path, _text_rows(path, file, width, 2), count, keep)


def _is_binary(sample: bytes, width: int) -> bool:
    """Text holds lines of `width` numbers; what is not UTF-8 or not such a line is binary."""
    line = sample.split(b"\n", 1)[0]
    try:
        parts = line.decode("utf-8").rstrip().rsplit(" ", width)
        [float(part) for part in parts[1:]]
    except ValueError:
        return b"\0" in sample or not _is_utf8(sample)
    return False


def _is_utf8(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 4
    return True


def _text_rows(path: Path, file: BinaryIO, width: int | None, number: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Place, word, row. A word may hold spaces (GloVe has some): the numbers are counted from the end."""
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), number):  # noqa: B020
        place = f"{path}, line {number}"
        try:
            line = raw.decode("utf-8").rstrip("\r\n").rstrip(" ")
        except UnicodeDecodeError as error:
            raise UserError(f"{place}: byte {error.start + 1} is not UTF-8") from None
        if not line:
            continue
        if width is None:
            width = len(line.split(" ")) - 1
        parts = line.rsplit(" ", width)
        if len(parts) != width + 1 or width < 1:
            raise UserError(f"{place}: expected a word and {width} numbers, {len(line.split(' ')) - 1} numbers came")
        try:
            row = np.array([float(part) for part in parts[1:]], np.float32)
        except ValueError:
            raise UserError(f"{place}: expected a word and {width} numbers; one of them is not a number") from None
        yield place, parts[0], row


def _binary_rows(path: Path, file: BinaryIO, count: int, width: int) -> Iterator[tuple[str, str, np.ndarray]]:
    for _ in range(count):
        place = f"{path}, byte {file.tell():,}"
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            if byte != b"\n":
                word += byte
            if len(word) > LONGEST_WORD:
                raise UserError(f"{place}: a word of over {LONGEST_WORD} bytes: this is not word2vec binary")
        row = np.frombuffer(file.read(4 * width), "<f4")
        if len(row) != width:
            raise UserError(f"{place}: the file ends inside a vector: it is cut short")
        try:
            yield place, word.decode("utf-8"), row
        except UnicodeDecodeError:
            raise UserError(f"{place}: a word is not UTF-8") from None
    if file.read(2).strip():
        raise UserError(f"{path}: more follows after the {count} vectors that its header says: the header does not fit")


def _gather(
    path: Path, rows: Iterator[tuple[str, str, np.ndarray]], count: int | None, keep: Collection[str] | None
) -> Vectors:
    kept: dict[str, np.ndarray] = {}
    seen: set[int] = set()
    total = 0
    for place, word, row in rows:
        total += 1
        if not np.isfinite(row).all():
            raise UserError(f"{place}: the vector of {word!r} has a number that is not finite")
        if (mark := hash(word)) in seen and (word in kept or keep is None):
            raise UserError(f"{place}: {word!r} comes a second time")
        seen.add(mark)
        if keep is None or word in keep:
            kept[word] = row
    if count is not None and total != count:
        raise UserError(f"{path}: the header says {count} vectors, {total} came: the file is cut short, or the header lies")
    if not kept:
        raise UserError(f"{path}: none of the {total} words is in the vocabulary: is it another language, or capitals?")
    return Vectors(tuple(kept), np.stack(list(kept.values())).astype(np.float32), meta={"file": path.name})
