"""Effect sizes are those of their papers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.significance.compare import compare
from lightning_seq.significance.effect_sizes import almost_stochastic_order, cliffs_delta


def test_cliffs_delta_by_hand() -> None:
    assert cliffs_delta([3, 4], [1, 2]) == 1.0
    assert cliffs_delta([1, 2], [3, 4]) == -1.0
    assert cliffs_delta([1, 3], [2, 3]) == pytest.approx((1 - 2) / 4)


def test_almost_stochastic_order_knows_its_ends_and_is_smaller_for_the_better() -> None:
    random = np.random.default_rng(0)
    good, bad = random.normal(0.8, 0.02, 20), random.normal(0.7, 0.02, 20)
    assert almost_stochastic_order(good, bad) == 0.0
    assert almost_stochastic_order(bad, good) == 1.0
    close = random.normal(0.81, 0.02, 20), random.normal(0.8, 0.02, 20)
    assert 0 < almost_stochastic_order(*close) < almost_stochastic_order(*close[::-1]) <= 1.0
    assert almost_stochastic_order(good, good) == pytest.approx(0.5, abs=0.5)
    (pair,) = compare({"a": dict(enumerate(good)), "b": dict(enumerate(bad))}, stochastic_order=True).pairs
    assert pair.order == 0.0


def test_almost_stochastic_order_by_hand() -> None:
    """F^-1 - G^-1 is 2 on the first half, -1 on the second: a fifth of the square distance is on the wrong side."""
    without_bound = almost_stochastic_order([3.0, 4.0], [1.0, 5.0], resamples=1)
    assert without_bound == pytest.approx(1 / 5)
