"""Errors of forecasts and forecasts without training, against numbers by hand and the published table of M4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_seq.builders.build import build_data
from lightning_seq.builders.forecasting import _untrained
from lightning_seq.config.compose import compose
from lightning_seq.data.forecasting.prepare import naive_error
from lightning_seq.metrics.forecasts import (
    errors_of,
    lag_weights,
    lagged_regression,
    naive_forecasts,
    owa,
    seasonal_indices,
    smape,
)

nan = np.nan


def test_errors_by_hand() -> None:
    target, forecast = np.array([[10.0, 20.0], [nan, 4.0]]), np.array([[12.0, 15.0], [7.0, 4.0]])
    found = errors_of(target, forecast, np.array([2.0, 8.0]))
    assert found["mae"] == pytest.approx((2 + 5 + 0) / 3)
    assert found["mase"] == pytest.approx((2 / 2 + 5 / 2 + 0) / 3) == found["crps"]
    assert found["smape"] == pytest.approx((200 * 2 / 22 + 200 * 5 / 35 + 0) / 3)
    assert found["rmse"] == pytest.approx(((4 + 25 + 0) / 3) ** 0.5)
    assert smape(np.zeros(1), np.zeros(1))[0] == 0
    assert owa(10.0, 3.0, {"smape": 20.0, "mase": 2.0}) == {"owa": pytest.approx(0.5 * (0.5 + 1.5))}
    assert owa(10.0, 3.0, {"smape": 0.0, "mase": 0.0}) == {}, "Naive2 makes no error on a constant series"


def test_the_denominator_of_mase_skips_missing_values_and_falls_back() -> None:
    assert naive_error(np.array([1.0, 2.0, 4.0, nan, 9.0, 3.0]), 2) == pytest.approx((3 + 5) / 2)
    assert naive_error(np.array([1.0, 2.0, 4.0]), 12) == pytest.approx(1.5)
    assert naive_error(np.array([5.0, 5.0, 5.0]), 1) == 5.0


def test_rules_by_hand() -> None:
    series = np.array([1.0, 2.0, 3.0, 4.0, nan, 6.0, 9.0, 9.0])
    made = naive_forecasts([series], [np.array([4, 5])], [4], horizon=3, season=2)
    assert made["naive"].tolist() == [[4, 4, 4], [4, 4, 4]]
    assert made["seasonal naive"].tolist() == [[3, 4, 3], [4, 4, 4]]  # the value at 4 is missing
    assert made["drift"].tolist() == [[5, 6, 7], [6, 7, 8]]
    assert made["mean"].tolist() == [[2.5] * 3] * 2


def test_seasonal_figures_of_a_pure_season() -> None:
    figures = np.array([0.5, 1.0, 1.5, 1.0])
    assert seasonal_indices(np.tile(figures, 10) * 100, 4) == pytest.approx(figures)
    assert seasonal_indices(np.random.default_rng(0).normal(100, 1, 40), 4).tolist() == [1] * 4  # no season
    assert seasonal_indices(np.tile([-1.0, 1.0, 0.0, 0.5], 10), 4).tolist() == [1] * 4  # not positive


def test_a_lagged_regression_finds_the_weights_of_a_generated_series() -> None:
    generator, series = np.random.default_rng(1), [0.0, 0.0]
    for noise in generator.normal(0, 0.1, 20_000):
        series.append(2 + 1.2 * series[-1] - 0.5 * series[-2] + noise)
    values = np.array(series[200:])
    values[[50, 51, 900]] = nan
    constant, mean, weights = lag_weights(values, 2)
    assert weights == pytest.approx([-0.5, 1.2], abs=0.02)
    assert constant + mean * (1 - weights.sum()) == pytest.approx(2, abs=0.1)

    end = len(values)
    known = np.append(values, [nan] * 3)
    (made,) = lagged_regression([known], [np.array([end])], [end], horizon=3, season=1)
    expected = list(values[-2:])
    for _ in range(3):
        expected.append(2 + 1.2 * expected[-1] - 0.5 * expected[-2])
    assert made == pytest.approx(expected[2:], abs=0.02)


def test_a_lagged_regression_reads_no_value_after_its_part_or_its_origin() -> None:
    values = np.sin(np.arange(80) / 3) + 5
    later = np.append(values[:60], np.full(20, 1e6))
    one, other = (lagged_regression([part], [np.array([40, 60])], [50], 4, 6) for part in (values, later))
    assert one.tolist() == other.tolist()
    assert one[1] == pytest.approx(values[60:64], abs=1e-6)
    short = lagged_regression([np.array([3.0, nan, 4.0, 9.0])], [np.array([3])], [1], 2, 12)
    assert short.tolist() == [[4, 4]]


def test_m4_hourly_has_the_figures_of_the_organisers(mirror: Path, tmp_path: Path) -> None:
    data = build_data(compose(["data=m4_hourly", f"cache={tmp_path}", f"data.mirror={mirror}"]))
    published = {"seasonal naive": (13.912, 1.193), "Naive2": (18.383, 2.395), "naive": (43.003, 11.608)}
    found = _untrained(data)
    for name, (percent, mase) in published.items():
        assert found[name]["smape"] == pytest.approx(percent, abs=6e-4)
        assert found[name]["mase"] == pytest.approx(mase, abs=6e-4)
    assert found["naive"]["owa"] == pytest.approx(3.593, abs=6e-4)
