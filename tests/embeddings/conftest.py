"""A corpus of a few hundred sentences, and vectors made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.embeddings.vectors import Vectors


@pytest.fixture(scope="session")
def sentences() -> list[list[str]]:
    """300 sentences, each on one of ten subjects with six words of its own, some subjects more frequent than others."""
    generator = np.random.default_rng(7)
    share = 1 / np.arange(1, 11)
    subjects = generator.choice(10, size=300, p=share / share.sum())
    drawn = [6 * subject + generator.integers(0, 6, generator.integers(3, 15)) for subject in [*subjects, *range(10)]]
    return [[f"w{index}" for index in range(60)], *([f"w{index}" for index in sentence] for sentence in drawn)]


@pytest.fixture
def vectors() -> Vectors:
    generator = np.random.default_rng(3)
    words = ("the", "naïve", "日本", "cat", "dog")
    return Vectors(
        words, generator.normal(size=(5, 4)).astype(np.float32), np.array([50, 20, 9, 5, 1]), {"from": "hand"}
    )
