"""Word vectors: words, their rows, their counts, and their origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lightning_seq.errors import UserError
from lightning_seq.files import DAMAGE, LARGEST_CACHED, Plain, read_json, replacing, write_json

TENSORS, VOCABULARY, META = "vectors.safetensors", "vocabulary.json", "meta.json"
_KEY = "vectors"


@dataclass(frozen=True, eq=False)
class Vectors:
    """Row i of `matrix` is the vector of `words[i]`.

    words:  V different words; by frequency where they were trained here.
    matrix: `[V, E]` float32, finite.
    counts: `[V]` int64, of each word in the text, or None where they are unknown.
    meta:   plain values: parameters, fingerprints, losses, versions.

    Raises ValueError for parts that do not fit each other.
    """

    words: tuple[str, ...]
    matrix: np.ndarray
    counts: np.ndarray | None = None
    meta: dict[str, Plain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.matrix.dtype != np.float32 or self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise ValueError(
                f"vectors are {self.matrix.dtype} {list(self.matrix.shape)}, expected float32 [{len(self.words)}, E]"
            )
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise ValueError(f"counts have shape {list(self.counts.shape)}, expected [{len(self.words)}]")
        if len(self.ids) != len(self.words):
            raise ValueError("two vectors are of the same word")
        if not np.isfinite(self.matrix).all():
            raise ValueError("vectors hold NaN or infinity")

    @property
    def width(self) -> int:
        return int(self.matrix.shape[1])

    @cached_property
    def ids(self) -> dict[str, int]:
        """The row of each word."""
        return {word: index for index, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> np.ndarray:
        """The matrix with rows of length 1 (rows of zeros stay zeros)."""
        norms = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return self.matrix / np.where(norms > 0, norms, 1)

    def only(self, words: Collection[str]) -> Vectors:
        """The vectors of those words, in the same order as before."""
        return self.select({word: row for row, word in enumerate(self.words) if word in words})

    def select(self, rows: Mapping[str, int]) -> Vectors:
        """The vectors in these rows, by their new words."""
        index = list(rows.values())
        counts = None if self.counts is None else self.counts[index]
        return Vectors(tuple(rows), self.matrix[index], counts, self.meta)


def save(vectors: Vectors, directory: Path) -> None:
    """Write `vectors.safetensors`, `vocabulary.json` and `meta.json` into a directory."""
    with replacing(directory / TENSORS) as temporary:
        save_file({_KEY: np.ascontiguousarray(vectors.matrix)}, temporary)
    counts = None if vectors.counts is None else vectors.counts.tolist()
    write_json(directory / VOCABULARY, {"words": list(vectors.words), "counts": counts})
    write_json(directory / META, vectors.meta)


def load(directory: Path) -> Vectors:
    """Read what `save` wrote.

    Raises UserError when a file is missing, damaged, or does not fit the others.
    """
    try:
        vocabulary = read_json(directory / VOCABULARY, dict, LARGEST_CACHED)
        meta = read_json(directory / META, dict)
        words, counts = vocabulary["words"], vocabulary["counts"]
        if not all(isinstance(word, str) for word in words):
            raise TypeError("words are not strings")
        if (directory / TENSORS).exists() and not (directory / TENSORS).is_file():
            raise TypeError(f"{TENSORS} is not a file")
        return Vectors(
            tuple(words),
            load_file(directory / TENSORS)[_KEY],
            None if counts is None else np.array(counts, dtype=np.int64),
            meta,
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{directory} holds no word vectors: expected {TENSORS}, {VOCABULARY} and {META} "
            f"({Path(error.filename).name if error.filename else TENSORS} is missing)"
        ) from None
    except (*DAMAGE, SafetensorError) as error:
        raise UserError(f"the word vectors in {directory} are damaged ({error}): delete that directory") from None
