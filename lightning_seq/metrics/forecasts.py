"""Errors of forecasts, and forecasts without training: of NumPy arrays, on the scale of the series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from torch import Tensor

N = TypeVar("N", float, Tensor)


def smape(target: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """200 |y - ŷ| / (|y| + |ŷ|) of each value, 0 to 200 (Makridakis et al. 2020, eq. of M4); 0 where both are 0."""
    size = np.abs(target) + np.abs(forecast)
    return 200 * np.abs(target - forecast) / np.where(size > 0, size, 1)


def owa(smape_: N, mase: N, reference: Mapping[str, float]) -> dict[str, N]:
    """`owa`, the overall weighted average of M4: the mean of both errors over those of Naive2; empty where Naive2 makes
    no error, as of a constant series."""
    if not (reference["smape"] and reference["mase"]):
        return {}
    return {"owa": 0.5 * (smape_ / reference["smape"] + mase / reference["mase"])}


def errors_of(target: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> dict[str, float]:
    """`mase smape mae mse rmse crps` over all values that are there. All are `[W, H]`, NaN for missing targets; scale:
    `[W]`, the denominators of MASE. Of a single number the CRPS is the absolute error."""
    there = ~np.isnan(target)
    error = np.abs(target - forecast)
    mase = float((error / scale[:, None])[there].mean())
    squared = float((error[there] ** 2).mean())
    return {
        "mase": mase,
        "smape": float(smape(target, forecast)[there].mean()),
        "mae": float(error[there].mean()),
        "mse": squared,
        "rmse": squared**0.5,
        "crps": mase,
    }


def seasonal_indices(values: np.ndarray, season: int) -> np.ndarray:
    """`[season]`, the multiplicative seasonal figures of the classical decomposition, by place in the season; ones
    where the autocorrelation at the season is not significant at 90 % or a value is not positive, as M4's Naive2.

    values: `[T]`; gaps are interpolated.
    """
    ones, T = np.ones(season), len(values)
    there = np.flatnonzero(~np.isnan(values))
    if season < 2 or 3 * season > T or not len(there):
        return ones
    x = np.interp(np.arange(T), there, values[there].astype(float))
    if x.min() <= 0:
        return ones
    centred = x - x.mean()
    variance = float(centred @ centred)
    if variance <= 0:
        return ones
    r = np.array([float(centred[lag:] @ centred[: T - lag]) / variance for lag in range(1, season + 1)])
    limit = 1.645 * np.sqrt((1 + 2 * float((r[:-1] ** 2).sum())) / T)
    if abs(r[-1]) <= limit:
        return ones
    weights = np.ones(season + 1 - season % 2)
    if season % 2 == 0:
        weights[[0, -1]] = 0.5
    trend = np.convolve(x, weights / season, mode="valid")
    half = len(weights) // 2
    ratio = np.full(T, np.nan)
    ratio[half : T - half] = x[half : T - half] / trend
    figures = np.array([np.nanmean(ratio[place::season]) for place in range(season)])
    return figures / figures.mean()


NAIVE = ("naive", "seasonal naive", "drift", "mean", "Naive2")


def naive_forecasts(
    values: Sequence[np.ndarray], origins: Sequence[np.ndarray], ends: Sequence[int], horizon: int, season: int
) -> dict[str, np.ndarray]:
    """By name of `NAIVE` the forecasts `[W, horizon]` of all windows, series by series.

    values: of each series; origins: of its windows; ends: steps from which the seasonal figures of Naive2 are taken.
    """
    made: dict[str, list[np.ndarray]] = {name: [] for name in NAIVE}
    for series, starts, end in zip(values, origins, ends, strict=True):
        if not len(starts):
            continue
        series, steps = np.asarray(series, dtype=float), np.arange(horizon)
        places = np.arange(len(series))
        there = ~np.isnan(series)
        before = np.maximum.accumulate(np.where(there, places, -1))
        last = np.maximum(before[starts - 1], 0)
        first = int(there.argmax())
        level = np.where(there[last], series[last], 0.0)
        back = (starts[:, None] - season + steps % season).clip(0)
        seasonal = np.where((starts[:, None] >= season) & there[back], series[back], level[:, None])
        slope = np.where(last > first, (level - series[first]) / np.maximum(last - first, 1), 0.0)
        sums, counts = np.cumsum(np.where(there, series, 0)), np.cumsum(there)
        figures = seasonal_indices(series[:end], season)
        adjusted = level / figures[last % season]
        made["naive"].append(np.repeat(level[:, None], horizon, 1))
        made["seasonal naive"].append(seasonal)
        made["drift"].append(level[:, None] + slope[:, None] * (steps + 1 + (starts - 1 - last)[:, None]))
        made["mean"].append(np.repeat((sums[starts - 1] / np.maximum(counts[starts - 1], 1))[:, None], horizon, 1))
        made["Naive2"].append(adjusted[:, None] * figures[(starts[:, None] + steps) % season])
    return {name: np.concatenate(parts) for name, parts in made.items()}


MOST_STEPS = 100_000
"""Of a series, the last ones, that a lagged regression is fitted to."""
STEPS_PER_LAG = 5


def lagged_regression(
    values: Sequence[np.ndarray], origins: Sequence[np.ndarray], ends: Sequence[int], horizon: int, season: int
) -> np.ndarray:
    """`[W, horizon]`, an autoregression of each series, y_t = a + b_1 y_{t-1} + … + b_p y_{t-p}, forecast step by step.

    p is a season and a step, or a lag for each `STEPS_PER_LAG` values if these are fewer. Values that are missing are
    not fitted; as a lag the value before them is read. Arguments as of `naive_forecasts`; ends: of the parts that are
    fitted.
    """
    made = []
    for series, starts, end in zip(values, origins, ends, strict=True):
        if not len(starts):
            continue
        series = np.asarray(series, dtype=float)
        there = ~np.isnan(series)
        before = np.maximum.accumulate(np.where(there, np.arange(len(series)), int(there.argmax())))
        fitted = series[:end][-MOST_STEPS:]
        lags = max(1, min(season + 1, int((~np.isnan(fitted)).sum()) // STEPS_PER_LAG))
        constant, mean, weights = lag_weights(fitted, lags)
        past = series[before][(starts[:, None] - lags + np.arange(lags)).clip(0)] - mean
        for _ in range(horizon):
            past = np.concatenate([past, constant + past[:, -lags:] @ weights[:, None]], 1)
        made.append(past[:, lags:] + mean)
    return np.concatenate(made)


def lag_weights(values: np.ndarray, lags: int) -> tuple[float, float, np.ndarray]:
    """By least squares a constant, the mean of the values, and `[lags]`, the weights of the lags of what differs from
    that mean, the oldest first; of values too few to be fitted those of repeating the last one."""
    rows = np.lib.stride_tricks.sliding_window_view(values, lags + 1) if len(values) > lags else np.empty((0, lags + 1))
    rows = rows[~np.isnan(rows).any(1)]
    if not len(rows):
        return 0.0, 0.0, np.eye(lags)[-1]
    mean = float(rows.mean())
    rows = rows - mean
    solved = np.linalg.lstsq(np.column_stack([np.ones(len(rows)), rows[:, :-1]]), rows[:, -1], rcond=None)[0]
    return float(solved[0]), mean, solved[1:]
