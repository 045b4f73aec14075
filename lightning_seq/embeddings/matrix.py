"""The matrix that the embedding of a model starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.errors import UserError

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
_EXAMPLES = 10


@dataclass(frozen=True)
class Coverage:
    """The share of a vocabulary that has vectors; special words do not count.

    types:   share of the words.
    tokens:  share of the text, or None where the counts of the words are unknown.
    missing: examples of words without a vector, the most frequent first.
    """

    types: float
    tokens: float | None
    missing: tuple[str, ...] = ()


def embedding_matrix(
    words: Sequence[str],
    vectors: Vectors,
    seed: int,
    counts: Sequence[int] | None = None,
    specials: Sequence[str] = SPECIALS,
) -> tuple[np.ndarray, Coverage]:
    """A row for each word of a vocabulary, `[V, E]` float32, and the coverage of the vocabulary.

    words:    of the vocabulary; the index is the id.
    counts:   of each word in the text, `[V]`.
    specials: special words; the first one is padding, and its row is zero.

    The row of a word without a vector is drawn from a normal distribution, with the mean and standard deviation of the
    vectors in each column; the same seed gives the same row.

    Raises UserError where no word has a vector.
    """
    if counts is not None and len(counts) != len(words):
        raise ValueError(f"{len(counts)} counts for {len(words)} words")
    if not vectors.words:
        raise UserError(
            "none of the vocabulary's words has a vector: is the file for another language, or spelt in capitals?"
        )
    rows = np.array([vectors.ids.get(word, -1) for word in words], dtype=np.int64)
    known = rows >= 0
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    mean, deviation = vectors.matrix.mean(axis=0, dtype=np.float64), vectors.matrix.std(axis=0, dtype=np.float64)
    matrix = np.empty((len(words), vectors.width), dtype=np.float32)
    matrix[known] = vectors.matrix[rows[known]]
    matrix[~known] = generator.normal(mean, deviation, ((~known).sum(), vectors.width))
    real = np.array([word not in specials for word in words], dtype=bool)
    if specials:
        matrix[[word == specials[0] for word in words]] = 0
    return matrix, _coverage(words, known, real, counts)


def _coverage(words: Sequence[str], known: np.ndarray, real: np.ndarray, counts: Sequence[int] | None) -> Coverage:
    types = float(known[real].mean()) if real.any() else 0.0
    weights = None if counts is None else np.asarray(counts, dtype=np.int64)
    missing = np.flatnonzero(real & ~known)
    tokens = None
    if weights is not None:
        total = weights[real].sum()
        tokens = float(weights[real & known].sum() / total) if total else 0.0
        missing = missing[np.argsort(-weights[missing], kind="stable")]
    return Coverage(types, tokens, tuple(words[index] for index in missing[:_EXAMPLES]))
