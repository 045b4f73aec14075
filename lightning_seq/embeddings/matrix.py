"""From word vectors to the embedding matrix of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightning_seq.embeddings.vectors import Vectors

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary has a vector, specials left out.

    types:   share of the words.
    tokens:  share of their occurrences in the training text, or None where nobody counted.
    missing: some of the words without, the most frequent first.
    """

    types: float
    tokens: float | None
    missing: tuple[str, ...]


def embedding_matrix(
    words: Sequence[str],
    vectors: Vectors,
    seed: int,
    counts: Sequence[int] | None = None,
    specials: Sequence[str] = SPECIALS,
) -> tuple[np.ndarray, Coverage]:
    """`[V, E]` float32, row i for `words[i]`.

    A word without a vector gets a draw from the normal with the vectors' own mean and deviation in each column; the
    first special, `<pad>`, is zero.
    """
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    mean, deviation = vectors.matrix.mean(0), vectors.matrix.std(0)
    drawn = generator.standard_normal((len(words), vectors.matrix.shape[1])) * deviation + mean
    matrix = drawn.astype(np.float32)
    rows = np.array([vectors.index.get(word, -1) for word in words])
    matrix[rows >= 0] = vectors.matrix[rows[rows >= 0]]
    ordinary = np.array([word not in specials for word in words])
    if specials and specials[0] in words:
        matrix[list(words).index(specials[0])] = 0
    found = (rows >= 0) & ordinary
    tokens = None
    if counts is not None:
        weights = np.asarray(counts, float) * ordinary
        tokens = float(weights[found].sum() / max(weights.sum(), 1))
    missing = tuple(word for word, has, plain in zip(words, rows >= 0, ordinary, strict=True) if plain and not has)[:10]
    return matrix, Coverage(float(found.sum() / max(ordinary.sum(), 1)), tokens, missing)
