"""Texts as one flat array of numbers: tokens numbered as they come, cut to a length, kept for word vectors.

Text i is `flat[offsets[i]:offsets[i + 1]]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lightning_seq.errors import UserError, first_line
from lightning_seq.files import DAMAGE, LARGEST_CACHED, DamagedError, read_json, write_json

LONGEST_SENTENCE = 1000
"""Tokens that word vectors are given at a time: gensim reads no more than 10,000 of a sentence."""
AS_LONG_AS_THE_TEXT = ("flat", "tags", "links")


class TokenNumbers(dict[str, int]):
    """Every token met so far, numbered as they come."""

    def __missing__(self, token: str) -> int:
        self[token] = number = len(self)
        return number


def cut_to(limit: int | None, offsets: np.ndarray) -> tuple[np.ndarray | None, np.ndarray, int]:
    """Which tokens stay when every text has `limit` at most, the new offsets, and how many texts lose some.

    The mask `[tokens]` is None where nothing is lost.
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


def save_corpus(directory: Path, prefix: str, flat: np.ndarray, offsets: np.ndarray, written: list[str]) -> None:
    """The tokens of training by falling count, whether the vocabulary has them or not: what word vectors are of.

    written: the spelling of each number. Writes `<prefix>corpus_flat.npy`, `<prefix>corpus_offsets.npy` and
    `<prefix>corpus_words.json`.
    """
    counts = np.bincount(flat, minlength=len(written))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda number: (-counts[number], written[number]))
    ranks = np.full(len(written), -1, dtype=np.int32)
    ranks[order] = np.arange(len(order))
    np.save(directory / f"{prefix}corpus_flat.npy", ranks[flat])
    np.save(directory / f"{prefix}corpus_offsets.npy", offsets)
    write_json(directory / f"{prefix}corpus_words.json", [written[number] for number in order])


def read_corpus(directory: Path, prefix: str = "", longest: int | None = None) -> Iterator[list[str]]:
    """The texts that `save_corpus` kept, none of them empty; those over `longest` tokens in parts.

    Raises UserError where they cannot be read any more.
    """
    with reading(directory):
        spelling = read_words(directory / f"{prefix}corpus_words.json")
        flat, offsets = (opened(directory, f"{prefix}corpus_{part}") for part in ("flat", "offsets"))
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        for part in range(start, stop, longest or max(1, stop - start)):
            yield spelling[flat[part : min(part + longest, stop) if longest else stop]].tolist()


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Around the reading of what prepared data leave on disk until it is needed.

    Raises UserError where it cannot be read any more.
    """
    try:
        yield
    except DAMAGE as error:
        raise UserError(
            f"{directory} is damaged ({first_line(error)}): delete it, and the same command makes it again"
        ) from None


def read_words(path: Path) -> np.ndarray:
    """A list of texts, as an array of objects. Raises DamagedError, or FileNotFoundError."""
    words = read_json(path, list, LARGEST_CACHED)
    if not all(isinstance(word, str) for word in words):
        raise DamagedError(f"{path.name} holds other things than texts")
    return np.array(words, dtype=object)


def opened(directory: Path, name: str) -> np.ndarray:
    """The array that was saved under this name; what is as long as the text stays on disk."""
    array = mapped(directory, name)
    # On disk as a plain array on the mapped file: `np.memmap` itself is slow to index.
    return np.asarray(array) if name.endswith(AS_LONG_AS_THE_TEXT) else np.array(array)


def mapped(directory: Path, name: str) -> np.ndarray:
    """The array that was saved under this name, on disk. Raises DamagedError where its file cannot be read."""
    try:
        return np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    except Exception as error:  # what NumPy's reader meets in a header of anything may raise anything
        raise DamagedError(f"{name}.npy cannot be read: {first_line(error)}") from None
