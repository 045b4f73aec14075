"""The matrix a model's inputs start from."""

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
    """How much of a vocabulary has a vector; its special words do not count.

    types:   share of the words.
    tokens:  share of the text that these words make up, or None where their counts are not known.
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
    """A row for each word of a vocabulary, `[V, E]` float32, and what share of it the vectors cover.

    words:    of the vocabulary; the index is the id.
    counts:   the number of times that each word occurs in the text, `[V]`.
    specials: special words; the first one is padding, and its row is zero.

    A word that has no vector gets a draw from a normal with the mean and standard deviation that the vectors have in
    each column, the same for the same seed.

    Raises UserError where the vectors are none at all.
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
