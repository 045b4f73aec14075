"""Length, unknown words and rare words of hand-made sentences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lightning_seq.data.difficulty import difficulty
from lightning_seq.text.vocabulary import Vocabulary


def test_by_hand() -> None:
    vocabulary = Vocabulary.from_counts({"the": 6, "sea": 3, "salt": 1, "hapax": 1}, min_count=2)
    assert (vocabulary.words[4:], vocabulary.counts[1]) == (("the", "sea"), 2)
    sentences = [["the", "sea"], ["salt"], ["the", "the", "wave", "sea"]]
    offsets = np.cumsum([0, *map(len, sentences)])
    ids = np.array([number for words in sentences for number in vocabulary.encode(words)])
    found = difficulty(ids, offsets, vocabulary)
    the, sea, unknown = math.log(11 / 7), math.log(11 / 4), math.log(11)
    assert found["length"].tolist() == [2, 1, 4]
    assert found["unknown"].tolist() == [0, 1, 0.25]
    assert found["rarity"].tolist() == pytest.approx([(the + sea) / 2, unknown, (2 * the + unknown + sea) / 4])


def test_a_vocabulary_without_specials_has_no_unknown_word() -> None:
    found = difficulty(np.array([0, 1, 1]), np.array([0, 3]), Vocabulary.of(["a", "b"], {"a": 4, "b": 2}))
    assert found["unknown"].tolist() == [0]
    assert found["rarity"].tolist() == pytest.approx([(math.log(6 / 5) + 2 * math.log(2)) / 3])
