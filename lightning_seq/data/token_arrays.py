"""Texts as one flat array of token numbers with offsets, cut to a length, and saved for word vectors."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from lightning_seq.errors import UserError, first_line
from lightning_seq.files import DAMAGE, LARGEST_CACHED, DamagedError, read_json, write_json
from lightning_seq.text.vocabulary import UNK

LONGEST_SENTENCE = 1000
"""Tokens of a sentence for word vectors: gensim reads at most 10,000 tokens of a sentence."""
PART = 1 << 22
"""Numbers of a part of an array that is not read at once."""
_AS_LONG_AS_THE_TEXT = ("flat", "tags", "links", "steps")


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length, none of them empty, one after the other: row i is `flat[offsets[i]:offsets[i + 1]]`.

    flat:    `[tokens]` int32, or `[steps, D]`.
    offsets: `[N + 1]` int64.
    """

    flat: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


class TokenNumbers(dict[str, int]):
    """The number of every token so far, in the order of first occurrence."""

    def __missing__(self, token: str) -> int:
        self[token] = number = len(self)
        return number

    def flatten(self, sentences: Iterable[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of all tokens, `[tokens]` int32, and the offsets of the sentences, `[N + 1]` int64."""
        flat, offsets = array("i"), array("q", [0])
        for tokens in sentences:
            flat.extend([self[token] for token in tokens])
            offsets.append(len(flat))
        return as_ids(flat), np.frombuffer(offsets, dtype=np.int64)

    def counts(self, flat: np.ndarray | NumbersOnDisk) -> dict[str, int]:
        """By token, how often its number occurs, without the tokens that do not occur."""
        counts = counts_of(flat, len(self)).tolist()
        return {token: count for token, count in zip(self, counts, strict=True) if count}


class NumbersOnDisk:
    """Numbers `[N]` in a file, of which no more than a part is in memory. `parts` and `len` read it."""

    def __init__(self, path: Path, kind: type[np.integer] = np.int32) -> None:
        self.path, self.kind = path, np.dtype(kind)
        path.touch()

    def append(self, numbers: array[int]) -> None:
        with self.path.open("ab") as file:
            numbers.tofile(file)

    def __len__(self) -> int:
        return self.path.stat().st_size // self.kind.itemsize

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, _ = part.indices(len(self))
        return np.fromfile(self.path, self.kind, count=max(0, stop - start), offset=start * self.kind.itemsize)

    def at(self, places: np.ndarray) -> np.ndarray:
        """The numbers at some places."""
        return np.asarray(np.memmap(self.path, self.kind, "r")[places])


def parts(flat: np.ndarray | NumbersOnDisk) -> Iterator[np.ndarray]:
    """An array in parts, of which one at a time is in memory."""
    for start in range(0, len(flat), PART):
        yield flat[start : start + PART]


def counts_of(flat: np.ndarray | NumbersOnDisk, size: int) -> np.ndarray:
    """`[size]`, how often each number occurs: NumPy would make a copy of the whole array."""
    return sum((np.bincount(part, minlength=size) for part in parts(flat)), start=np.zeros(size, dtype=np.int64))


def save_parts(path: Path, size: int, arrays: Iterable[np.ndarray]) -> None:
    """Write arrays one after the other, as `np.save` writes one array `[size]` int32."""
    with path.open("wb") as file:
        form = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int32)), "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(file, form)
        for part in arrays:
            part.astype(np.int32, copy=False).tofile(file)


def as_ids(numbers: array[int]) -> np.ndarray:
    """`[N]` int32, for an `array("i")`."""
    return np.frombuffer(numbers, dtype=np.int32) if numbers else np.zeros(0, dtype=np.int32)


def cut_to(limit: int | None, offsets: np.ndarray) -> tuple[np.ndarray | None, np.ndarray, int]:
    """Which tokens stay when every text has `limit` at most, the new offsets, and how many texts become shorter.

    The mask `[tokens]` is None where all stay.
    """
    lengths = np.diff(offsets)
    if limit is None or not len(lengths) or lengths.max() <= limit:
        return None, offsets, 0
    kept = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) < limit
    return kept, np.concatenate([[0], np.cumsum(np.minimum(lengths, limit))]), int((lengths > limit).sum())


def shortened(
    flat: np.ndarray, offsets: np.ndarray, limit: int | None, where: str, what: str, report: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The texts cut to `limit` tokens, and a line in the report that counts them: "train: 3 of 90 sentences cut …"."""
    kept, after, cut = cut_to(limit, offsets)
    if kept is None:
        return flat, offsets
    report.append(f"{where}{cut:,} of {len(offsets) - 1:,} {what} cut to {limit} tokens")
    return flat[kept], after


def unknown_share(ids: np.ndarray) -> float:
    """The part of the ids that is `<unk>`."""
    return float((ids == UNK).mean())


def save_corpus(
    directory: Path, prefix: str, flat: np.ndarray | NumbersOnDisk, offsets: np.ndarray, written: list[str]
) -> None:
    """Save the tokens of training for word vectors, by falling count, also those that the vocabulary does not hold.

    written: the spelling of each number. Writes `<prefix>corpus_flat.npy`, `<prefix>corpus_offsets.npy` and
    `<prefix>corpus_words.json`.
    """
    counts = counts_of(flat, len(written))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda number: (-counts[number], written[number]))
    ranks = np.full(len(written), -1, dtype=np.int32)
    ranks[order] = np.arange(len(order))
    save_parts(directory / f"{prefix}corpus_flat.npy", len(flat), (ranks[part] for part in parts(flat)))
    save_arrays(directory, f"{prefix}corpus", offsets=offsets)
    write_json(directory / f"{prefix}corpus_words.json", [written[number] for number in order])


def read_corpus(directory: Path, prefix: str = "", longest: int | None = None) -> Iterator[list[str]]:
    """The texts that `save_corpus` wrote, without empty ones; those over `longest` tokens in parts.

    Raises UserError where they can no longer be read.
    """
    with reading(directory):
        spelling = read_words(directory / f"{prefix}corpus_words.json")
        flat, offsets = read_arrays(directory, f"{prefix}corpus", "flat", "offsets")
    blocks = (offsets[row : row + PART + 1].tolist() for row in range(0, len(offsets) - 1, PART))
    for start, stop in chain.from_iterable(map(pairwise, blocks)):
        for part in range(start, stop, longest or max(1, stop - start)):
            yield spelling[flat[part : min(part + longest, stop) if longest else stop]].tolist()


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Raises UserError where prepared data that are read later can no longer be read."""
    try:
        yield
        if not directory.is_dir():
            raise FileNotFoundError(directory)
    except DAMAGE as error:
        if not directory.is_dir():
            raise UserError(
                f"{directory} was deleted while it was in use: the same command makes it again, and resumes the run"
            ) from None
        raise UserError(
            f"{directory} is damaged ({first_line(error)}): delete it, and the same command makes it again"
        ) from None


def read_words(path: Path) -> np.ndarray:
    """A list of texts, as an array of objects. Raises DamagedError, or FileNotFoundError."""
    words = read_json(path, list, LARGEST_CACHED)
    if not all(isinstance(word, str) for word in words):
        raise DamagedError(f"{path.name} does not hold texts only")
    return np.array(words, dtype=object)


def save_arrays(directory: Path, prefix: str, **arrays: np.ndarray) -> None:
    """Write each array to `<prefix>_<name>.npy`."""
    for name, values in arrays.items():
        np.save(directory / f"{prefix}_{name}.npy", values)


def read_arrays(directory: Path, prefix: str, *names: str) -> Iterator[np.ndarray]:
    """The arrays that `save_arrays` wrote; those as long as the text stay on disk. Raises DamagedError."""
    for name in names:
        values = mapped(directory, f"{prefix}_{name}")
        # A plain array on the mapped file: `np.memmap` itself is slow to index.
        yield np.asarray(values) if name.endswith(_AS_LONG_AS_THE_TEXT) else np.array(values)


def mapped(directory: Path, name: str) -> np.ndarray:
    """The array in `<name>.npy`, on disk. Raises DamagedError where its file cannot be read."""
    try:
        return np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy's reader may raise anything on a damaged header
        raise DamagedError(f"{name}.npy cannot be read: {first_line(error)}") from None
