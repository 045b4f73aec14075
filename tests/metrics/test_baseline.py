"""Predictors that look at no input, each computed by hand."""

from __future__ import annotations

from math import log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.builders import classification, tagging
from lightning_seq.builders.asked_questions import _chances
from lightning_seq.metrics.baseline import bit_frequencies, frequent_bits, majority, mean_errors, nearest, unigram
from lightning_seq.metrics.classification import classification_metrics
from lightning_seq.spec import Answer, Class, DataSpec, Tags, Tokens

TRAIN, TEST = np.array([0, 1, 1, 2]), np.array([1, 1, 0, 3])


def test_the_majority_class() -> None:
    """Class 1 has an F1 of 2/3; classes 0 and 3 have 0, and class 2 is neither in test nor the answer."""
    answer, metrics = majority(TRAIN, TEST, 4)
    assert answer == 1
    assert metrics == pytest.approx({"accuracy": 1 / 2, "macro_f1": 2 / 9})
    oracle = classification_metrics(4)
    oracle.update(torch.ones(4, dtype=torch.int64), torch.tensor(TEST))
    assert {name: float(oracle.compute()[name]) for name in metrics} == pytest.approx(metrics)


def test_a_majority_class_that_test_lacks() -> None:
    assert majority(TRAIN, np.array([0, 2]), 4) == (1, {"accuracy": 0.0, "macro_f1": 0.0})


def test_the_unigram_has_one_more_of_each_token() -> None:
    """The probabilities are 4/7, 2/7 and 1/7."""
    metrics = unigram(np.array([3, 1, 0]), np.array([1, 0, 1]))
    assert metrics == pytest.approx({"loss": log(49 / 4) / 2, "accuracy": 1 / 2})


def test_the_mean_of_numbers() -> None:
    errors = mean_errors(np.array([[0.0], [1.0]]), np.array([[0.52], [1.5]]))
    assert errors == pytest.approx(np.array([[-0.02], [-1.0]]))


def test_the_most_frequent_bits_that_count() -> None:
    """Bit 0 is 1 in three of four steps; bit 1 is 1 as often as 0."""
    train = np.array([[[1, 1], [1, 0]], [[0, 1], [1, 0]]], dtype=np.float32)
    test = np.array([[[1, 0], [1, 0]], [[0, 0], [1, 1]]], dtype=np.float32)
    counts = np.ones_like(test, dtype=bool)
    assert frequent_bits(train, counts, test, counts) == {"bits_correct": 6 / 8, "exact_match": 1 / 2}
    some = counts.copy()
    some[1, 0, 0] = some[1, 1, 1] = False
    assert frequent_bits(train, counts, test, some) == {"bits_correct": 1.0, "exact_match": 1.0}


def test_the_frequency_of_each_bit() -> None:
    """The probabilities are 3/4 and 1/4."""
    metrics = bit_frequencies(np.array([[1, 0], [1, 0]], np.uint8), np.array([[1, 0], [0, 0]], np.uint8))
    assert metrics == pytest.approx({"loss": -(log(3 / 4) + log(1 / 4)) / 2 - log(3 / 4)})


@pytest.mark.parametrize(("train", "spans"), [([0, 0, 1], {"f1": 0.0, "precision": 0.0, "recall": 0.0}), ([1], {})])
def test_the_most_frequent_tag_outside_of_spans_finds_none(train: list[int], spans: dict[str, float]) -> None:
    data: Any = SimpleNamespace(
        spec=DataSpec(Tokens(()), Tags(("O", "B-X"), scheme="bio")),
        train_labels=np.array(train),
        prepared=SimpleNamespace(splits={"test": SimpleNamespace(tags=np.array([0, -1, 1]))}),
    )
    task: Any = None
    assert tagging.baseline(data, task) == pytest.approx({"accuracy": 1 / 2, "macro_f1": 1 / 3, **spans})


def test_a_relation_is_right_with_its_direction_alone() -> None:
    """Of three answers `R(e1,e2)` one is right, and two examples are of R: an F1 of 2/5; that of S is 0."""
    data: Any = SimpleNamespace(
        spec=DataSpec(Tokens(()), Class(("R(e1,e2)", "R(e2,e1)", "S(e1,e2)"))),
        train_labels=np.array([0, 0, 2]),
        prepared=SimpleNamespace(splits={"test": SimpleNamespace(labels=np.array([0, 1, 2]))}),
    )
    task: Any = None
    metrics = classification.baseline(data, task)
    assert metrics == pytest.approx({"relation_f1": 1 / 5, "accuracy": 1 / 3, "macro_f1": 1 / 6})


def test_the_chance_of_a_kind_that_training_lacks_is_that_of_all_kinds() -> None:
    def split(answers: list[int], kinds: list[int]) -> SimpleNamespace:
        return SimpleNamespace(answers=np.array(answers), kinds=np.array(kinds))

    data: Any = SimpleNamespace(
        spec=DataSpec(Tokens(()), Answer(("no", "yes"))),
        prepared=SimpleNamespace(
            kinds=("a", "b", "c"), splits={"train": split([1, 1, 0], [0, 0, 0]), "test": split([0, 1, 1], [0, 1, 1])}
        ),
    )
    chance, kinds = _chances(data)
    assert chance == pytest.approx(2 / 3)
    assert [(kind.name, kind.n, kind.chance) for kind in kinds] == [("a", 1, 0.0), ("b", 2, 1.0)]


def test_the_nearest_row_is_that_of_the_largest_cosine_around_the_mean() -> None:
    generator = np.random.default_rng(3)
    train, test = generator.normal(5, 1, (40, 6)), generator.normal(5, 1, (300, 6))
    mean = train.mean(0)
    for row, found in zip(test, nearest(train.astype(np.float32), test.astype(np.float32)), strict=True):
        cosines = [(row - mean) @ (other - mean) / np.linalg.norm(other - mean) for other in train]
        assert cosines[found] == pytest.approx(max(cosines), rel=1e-5)
    assert nearest(train, train).tolist() == list(range(40))
    assert nearest(np.ones((3, 2)), np.ones((2, 2))).tolist() == [0, 0]
