"""Runs that succeed or fail are recognised and compared by an exact test."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.significance.compare import Decision, compare
from lightning_seq.significance.successes import between_humps, compare_counts


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values, 1))


def test_two_humps_need_a_gap_and_a_label_in_both() -> None:
    humps = {"a": by_seed(0.99, 0.98, 0.02), "b": by_seed(0.01, 0.97, 0.03)}
    assert between_humps(humps) == pytest.approx(0.5)
    assert between_humps({"a": by_seed(0.99, 0.98, 0.97), "b": by_seed(0.01, 0.02, 0.03)}) is None
    assert between_humps({"a": by_seed(0.7, 0.72, 0.71), "b": by_seed(0.72, 0.74, 0.70)}) is None
    assert between_humps({"a": by_seed(0.99, 0.98, 0.02), "b": by_seed(0.97, 0.98, 0.99)}) is None  # one outlier
    assert between_humps({"a": by_seed(0.9), "b": by_seed(0.1, 0.2)}) is None


def test_two_labels_of_two_seeds_cannot_be_decided_where_success_may_be_luck() -> None:
    pairs = compare({"a": by_seed(0.9, 0.901), "b": by_seed(0.1, 0.1005)}).pairs
    assert [pair.decision for pair in pairs] == [Decision.OPEN]


def test_a_loss_succeeds_below_the_gap() -> None:
    scores = {"a": by_seed(*[0.001] * 9, 0.16), "b": by_seed(0.001, *[0.17] * 9)}
    comparison = compare(scores, lower_is_better=True)
    (pair,) = comparison.pairs
    assert comparison.threshold == pytest.approx(0.08, abs=0.01)
    assert (pair.better, pair.decision) == ("a", Decision.BEATS)
    assert pair.difference == pytest.approx(0.8)


def chance_of_a_larger_difference(n: int, m: int, seen: float, p: float, q: float) -> float:
    random = np.random.default_rng(0)
    return float(np.mean(random.binomial(n, p, 200_000) / n - random.binomial(m, q, 200_000) / m >= seen - 1e-9))


def test_the_exact_test_is_that_of_the_worst_common_chance() -> None:
    p, low, high = compare_counts(3, 3, 0, 3, 0.05)
    assert p == pytest.approx(2 * 0.5**6)
    assert 0 < low < 1 == high
    p, low, _ = compare_counts(2, 2, 0, 2, 0.05)
    assert p == pytest.approx(2 * 0.5**4)
    assert low <= 0
    p, low, _ = compare_counts(8, 10, 3, 10, 0.05)
    worst = max(chance_of_a_larger_difference(10, 10, 0.5, q, q) for q in np.linspace(0.1, 0.9, 9))
    assert p == pytest.approx(2 * worst, rel=0.05)
    # At the lower end of the interval, such a difference has a chance of a fortieth.
    at_end = max(chance_of_a_larger_difference(10, 10, 0.5, q + low, q) for q in np.linspace(0.0, 1 - low, 21))
    assert at_end == pytest.approx(0.025, abs=0.004)


def test_the_interval_excludes_zero_exactly_where_p_is_below_the_level() -> None:
    for level in (0.05, 0.05 / 6, 0.05 / 190):
        for first in range(6):
            for second in range(6):
                p, low, high = compare_counts(first, 5, second, 5, level)
                assert (p < level) == (low > 0 or high < 0)
