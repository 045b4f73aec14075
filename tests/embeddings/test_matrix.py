"""The matrix a model starts from, and how much of the vocabulary it knows."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.embeddings.matrix import embedding_matrix
from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.errors import UserError

WORDS = ("<pad>", "<unk>", "<bos>", "<eos>", "dog", "bird", "the", "fish", "cat")
COUNTS = (0, 7, 0, 0, 10, 6, 50, 30, 4)


def test_rows_and_coverage_by_hand(vectors: Vectors) -> None:
    matrix, coverage = embedding_matrix(WORDS, vectors, seed=1, counts=COUNTS)
    assert matrix.shape == (9, 4)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[[6, 8, 4]], vectors.matrix[[0, 3, 4]])
    assert not matrix[0].any()
    assert coverage.types == 3 / 5
    assert coverage.tokens == (10 + 50 + 4) / (10 + 6 + 50 + 30 + 4)
    assert coverage.missing == ("fish", "bird")
    others = matrix[[1, 2, 3, 5, 7]]
    assert len(np.unique(others)) == others.size
    assert embedding_matrix(WORDS, vectors, seed=1)[1].tokens is None


def test_rows_of_unknown_words_depend_on_the_seed_alone(vectors: Vectors) -> None:
    one, again, other = (embedding_matrix(WORDS, vectors, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one[[1, 5]] != other[[1, 5]]).all()
    np.testing.assert_array_equal(one[[0, 4, 6, 8]], other[[0, 4, 6, 8]])


def test_unknown_words_look_like_known_ones() -> None:
    generator = np.random.default_rng(0)
    centre, spread = np.array([3.0, -1.0, 0.0]), np.array([0.1, 2.0, 1.0])
    known = Vectors(
        tuple(f"k{index}" for index in range(4000)),
        generator.normal(centre, spread, (4000, 3)).astype(np.float32),
    )
    matrix, coverage = embedding_matrix([f"u{index}" for index in range(4000)], known, seed=5)
    np.testing.assert_allclose(matrix.mean(axis=0), centre, atol=0.15)
    np.testing.assert_allclose(matrix.std(axis=0), spread, rtol=0.08)
    assert coverage.types == 0
    assert len(coverage.missing) == 10


def test_a_vocabulary_without_special_words(vectors: Vectors) -> None:
    matrix, coverage = embedding_matrix(("dog", "cat"), vectors, seed=1, counts=(1, 1), specials=())
    np.testing.assert_array_equal(matrix, vectors.matrix[[4, 3]])
    assert (coverage.types, coverage.tokens, coverage.missing) == (1.0, 1.0, ())


def test_no_vectors_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="none of the vocabulary's words has a vector"):
        embedding_matrix(WORDS, Vectors((), np.zeros((0, 4), np.float32)), seed=1)
