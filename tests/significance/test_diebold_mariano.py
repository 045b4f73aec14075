"""The test of Diebold and Mariano against its formula, and its size where losses depend on those before."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lightning_seq.significance.diebold_mariano import diebold_mariano


def test_the_formula_with_one_overlap() -> None:
    first, second = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3]), np.array([2.0, 7, 1, 8, 2, 8, 1, 8, 2, 8])
    found = diebold_mariano(first, second, overlap=3)
    d = first - second
    N, c = 10, d - d.mean()
    gamma = [float((c[k:] * c[: N - k]).sum()) / N for k in range(4)]
    variance = gamma[0] + 2 * sum((1 - k / 4) * gamma[k] for k in (1, 2, 3))
    correction = math.sqrt((N + 1 - 2 * 4 + 4 * 3 / N) / N)
    statistic = correction * d.mean() / math.sqrt(variance / N)
    assert found.difference == pytest.approx(d.mean())
    assert (found.statistic, found.lags) == (pytest.approx(statistic), 3)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(statistic), N - 1))


def test_equal_and_few_losses_have_no_statistic() -> None:
    ones = np.ones(20)
    assert diebold_mariano(ones, ones).p == 1
    assert math.isnan(diebold_mariano(ones, 2 * ones).p)
    assert math.isnan(diebold_mariano(ones[:4], np.arange(4.0)).p)
    with pytest.raises(ValueError, match="same origins"):
        diebold_mariano(ones, ones[:3])


def test_serial_dependence_makes_it_less_sure() -> None:
    draw, wrong, naive = np.random.default_rng(0), 0, 0
    for _ in range(200):
        noise = draw.normal(size=311)
        losses = np.convolve(noise, np.ones(12) / 12, mode="valid")  # windows of twelve that overlap
        wrong += diebold_mariano(losses, np.zeros(len(losses)), overlap=11).p < 0.05
        naive += stats.ttest_1samp(losses, 0).pvalue < 0.05
    assert wrong / 200 < 0.16 < 0.4 < naive / 200
