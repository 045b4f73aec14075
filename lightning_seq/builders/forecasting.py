"""Forecasting: the next values of series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.prediction_columns import Column, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.data.forecasting.reader import SeriesReader
from lightning_seq.files import write_json
from lightning_seq.metrics.forecasts import errors_of, lagged_regression, naive_forecasts, owa
from lightning_seq.models.forecast_output import make_output
from lightning_seq.models.forecaster import Forecast, Forecaster, NaiveForecaster
from lightning_seq.models.naive import NaiveRule
from lightning_seq.records.forecasts import (
    MOST_ORIGINS,
    MOST_PAST,
    MOST_SERIES,
    MOST_WINDOWS,
    Forecasts,
    ForecastWindow,
    Level,
    NamedError,
)
from lightning_seq.spec import FUTURE, SCALES, Batch, DataSpec, Future

if TYPE_CHECKING:
    from lightning_seq.data.forecasting.module import ForecastingData
    from lightning_seq.tasks.forecasting import Forecasting


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Forecast:
    settings, future, allow = config["task"], spec.targets_as(Future), config["allow"]
    made = encoder(width)
    if isinstance(made, NaiveRule):
        return NaiveForecaster(embedding, made, future)
    return Forecaster(
        embedding,
        made,
        future,
        make_output(settings["output"], settings["loss"], settings["quantiles"]),
        strategy=settings["strategy"],
        norm=settings["instance_norm"],
        residual=settings["residual"],
        head_sizes=settings["head_sizes"],
        dropout=settings["dropout"],
        samples=settings["samples"],
        decoder=factory(config["cell"], "cell", allow) if settings["strategy"] == "seq2seq" else None,
        decoder_size=settings["decoder_size"],
        attention=factory(config["attention"], "attention", allow) if settings["attention"] else None,
    )


def task(config: Config, data: ForecastingData, model: Forecast, shared: Shared) -> Forecasting:
    settings = config["task"]
    made: Forecasting = make_task(  # type: ignore[assignment]
        config,
        model,
        quantiles=settings["quantiles"],
        interval=settings["interval"],
        reference=cache(lambda: _untrained(data)["Naive2"]),
        **shared,
    )
    return made


def artifacts(directory: Path, data: ForecastingData, task: Forecasting) -> dict[str, str]:
    """`predictions.parquet`, a row per value to predict that is there: series, origin, step, target, prediction, mase
    (the absolute error over the denominator of MASE), smape, crps, and the quantiles, `quantile_0.1` …"""
    rows = test_rows(task)
    numbers, steps = rows[:, 0].astype("int64"), rows[:, 1].astype("int32")
    windows, places = np.unique(numbers, return_inverse=True)
    which, firsts = data.splits["test"].at(numbers)
    exact = data.prepared.arrays.offsets[which] + firsts + steps - 1  # rows hold a number that was scaled and back
    target, prediction = data.prepared.arrays.values[exact].astype(float), rows[:, 3]
    size = np.abs(target) + np.abs(prediction)
    series, origins = np.array(data.series_of(windows)), np.array(data.times_of(windows))
    columns: dict[str, Column] = {
        "series": series[places],
        "origin": origins[places],
        "step": steps,
        "target": target,
        "prediction": prediction,
        "mase": rows[:, 4],
        "smape": 200 * np.abs(target - prediction) / np.where(size > 0, size, 1),
        "crps": rows[:, 5],
    }
    if task.distributed:
        columns |= {f"quantile_{level:g}": rows[:, 6 + place] for place, level in enumerate(task.levels)}
    write_json(directory / "forecasts.json", _shown(data, task, rows).to_plain())
    written = write_predictions(directory, data.example_ids("test"), numbers, columns)
    return {**written, "forecasts": "forecasts.json"}


def _shown(data: ForecastingData, task: Forecasting, rows: np.ndarray) -> Forecasts:
    """What the dashboard draws, from the rows of `Forecasting.predictions`."""
    numbers, steps, errors = rows[:, 0].astype("int64"), rows[:, 1].astype("int64"), rows[:, 4]
    windows, horizon = data.splits["test"], data.settings.horizon
    series, origins = windows.at(np.unique(numbers))
    places = np.searchsorted(np.unique(numbers), numbers)
    chosen = spread(np.unique(numbers).tolist(), MOST_WINDOWS)
    since = origins - windows.firsts[series]
    by_origin = {int(one): _mean(errors[since[places] == one]) for one in np.unique(since)}
    by_series = {data.prepared.arrays.names[one]: _mean(errors[series[places] == one]) for one in np.unique(series)}
    worst = sorted(by_series.items(), key=lambda item: -item[1])[:MOST_SERIES]
    shares = [Level(level, float((rows[:, 2] <= rows[:, 6 + place]).mean())) for place, level in enumerate(task.levels)]
    return Forecasts(
        task.interval,
        -(-horizon // windows.stride) - 1,
        tuple(_window(data, task, number, rows[numbers == number]) for number in chosen),
        tuple(_mean(errors[steps == step]) for step in np.unique(steps)),
        tuple(shares) if task.distributed else (),
        tuple(NamedError(name, error) for name, error in worst),
        tuple(NamedError(str(one), error) for one, error in list(by_origin.items())[:MOST_ORIGINS]),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _window(data: ForecastingData, task: Forecasting, number: int, rows: np.ndarray) -> ForecastWindow:
    """rows: of this window; a step whose value is missing has the prediction of the step before."""
    arrays, horizon, one = data.prepared.arrays, data.settings.horizon, np.array([number])
    series, origins = data.splits["test"].at(one)
    place = int(arrays.offsets[series[0]] + origins[0])
    past = arrays.values[place - min(int(origins[0]), data.settings.context, MOST_PAST) : place]
    steps = np.searchsorted(rows[:, 1], np.arange(1, horizon + 1), side="right") - 1
    lines = rows[np.maximum(steps, 0)]
    low, high = (lines[:, 6 + tail] if task.distributed else np.array([]) for tail in task.tails)
    before, truth = (
        tuple(None if np.isnan(value) else float(value) for value in part.tolist())
        for part in (past, arrays.values[place : place + horizon])
    )
    forecast = (tuple(part.tolist()) for part in (lines[:, 3], low, high))
    return ForecastWindow(data.series_of(one)[0], data.times_of(one)[0], before, truth, *forecast)


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """Up to so many, from all parts of the list."""
    count = min(most, len(numbers))
    return [numbers[len(numbers) * (2 * place + 1) // (2 * count)] for place in range(count)]


def _untrained(data: ForecastingData) -> dict[str, dict[str, float]]:
    """By name the errors of forecasts without training, of all test windows."""
    arrays, windows = data.prepared.arrays, data.splits["test"]
    rows = np.arange(len(windows))
    series, origins = windows.at(rows)
    spans = list(zip(arrays.offsets[:-1].tolist(), arrays.offsets[1:].tolist(), strict=True))
    values = [np.asarray(arrays.values[start:stop]) for start, stop in spans]
    starts = [origins[series == number] for number in range(len(spans))]
    horizon, season = data.settings.horizon, data.season
    made = naive_forecasts(values, starts, arrays.ends[:, 1].tolist(), horizon, season)
    made["lagged regression"] = lagged_regression(values, starts, arrays.ends[:, 0].tolist(), horizon, season)
    places = (arrays.offsets[series] + origins)[:, None] + np.arange(horizon)
    target, scale = arrays.values[places].astype(float), data.errors("test")[series]
    found = {name: errors_of(target, forecast, scale) for name, forecast in made.items()}
    reference = found["Naive2"]
    return {name: own | owa(own["smape"], own["mase"], reference) for name, own in found.items()}


def baseline(data: ForecastingData, task: Forecasting) -> Mapping[str, float]:
    return _untrained(data)["seasonal naive"]


def further_baselines(data: ForecastingData, task: Forecasting) -> Mapping[str, Mapping[str, float]]:
    return {name: own for name, own in _untrained(data).items() if name != "seasonal naive"}


@torch.inference_mode()
def forecasts(loaded: Loaded, batch: Batch) -> tuple[np.ndarray, np.ndarray | None]:
    """`[B, H]` the medians and `[B, H, Q]` the quantiles of `task.quantiles`, on the scale of the series."""
    scales, levels = batch.extra[SCALES], loaded.config["task"]["quantiles"]
    made = loaded.model.predict(batch.inputs, batch.mask, batch.extra[FUTURE], scales, levels)
    point = scales[:, :1] + scales[:, 1:2] * made.point
    if made.quantiles is None:
        return point.double().numpy(), None
    quantiles = scales[:, :1, None] + scales[:, 1:2, None] * made.quantiles
    return point.double().numpy(), quantiles.double().numpy()


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a series in JSON, `{"text", "predictions": [{"step", "prediction", "quantile_0.1", …}, …]}`."""
    point, quantiles = forecasts(loaded, loaded.reader.encode(texts, first))
    for row, text in enumerate(texts):
        yield {"text": text, "predictions": steps_of(loaded, point, quantiles, row)}


def steps_of(loaded: Loaded, point: np.ndarray, quantiles: np.ndarray | None, row: int) -> list[Row]:
    """Of a series the predictions of all steps."""
    levels, made = loaded.config["task"]["quantiles"], []
    for step, value in enumerate(point[row].tolist()):
        one: Row = {"step": step + 1, "prediction": _rounded(value)}
        if quantiles is not None:
            own = quantiles[row, step].tolist()
            one |= {f"quantile_{level:g}": _rounded(number) for level, number in zip(levels, own, strict=True)}
        made.append(one)
    return made


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


KIND = TaskKind(
    "a forecaster",
    Future,
    model,
    task,
    SeriesReader.from_plain,
    predictions,
    ranked=(),
    verbs=("forecast", "predict"),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="seasonal naive",
    further_baselines=further_baselines,
)
