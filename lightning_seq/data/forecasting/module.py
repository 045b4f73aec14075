"""Windows of series, batched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds
from lightning_seq.data.forecasting.prepare import PreparedSeries, SeriesArrays, prepare_series
from lightning_seq.data.forecasting.reader import SeriesReader, files_of, model_inputs
from lightning_seq.data.forecasting.settings import (
    CALENDAR,
    FILLS,
    SPLIT_BY,
    Horizon,
    SeriesSettings,
)
from lightning_seq.data.forecasting.settings import (
    SCALES as SCALE_KINDS,
)
from lightning_seq.data.forecasting.windows import Windows, WindowSampler
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.panel import PanelSource
from lightning_seq.spec import FUTURE, SCALES, Batch
from lightning_seq.value_types import OneOf, Part, Size, Workers

MANY_SERIES = 20
"""From so many series on, a series is a group of test windows that may be alike; below, a stretch of time is."""

LEAST_STRETCHES = 10
"""With so many stretches of time left, each is two horizons long."""


class WindowDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`; see `ForecastingData`. errors: `[S]`, the denominators of MASE."""

    def __init__(self, arrays: SeriesArrays, windows: Windows, context: int, fill: str, gaps: bool, errors: np.ndarray):
        self.arrays, self.windows, self.context, self.fill, self.gaps = arrays, windows, context, fill, gaps
        self.errors = errors

    def __getitem__(self, shard: BatchShard) -> Batch:
        arrays, (rows, real) = self.arrays, shard.rows()
        series, origins = self.windows.at(rows)
        lengths = np.minimum(origins, self.context)
        steps = int(lengths.max())
        places = (arrays.offsets[series] + origins)[:, None]
        mask = np.arange(steps) < lengths[:, None]
        past = np.where(mask, places - lengths[:, None] + np.arange(steps), places - 1)
        ahead = places + np.arange(self.windows.horizon)
        values = np.where(mask, arrays.values[past], np.nan)
        static = np.repeat(arrays.static[series][:, None], steps, 1)
        features = [arrays.others[past], arrays.known[past + 1], static]
        scales = arrays.scales[series]
        inputs = model_inputs(values, lengths, scales, self.fill, self.gaps, features)
        truth = arrays.values[ahead].astype(np.float64)
        there = ~np.isnan(truth)
        targets = np.where(there, (np.nan_to_num(truth) - scales[:, :1]) / scales[:, 1:], 0).astype(np.float32)
        numbers = np.concatenate([scales, self.errors[series, None]], 1).astype(np.float32)
        extra = {SCALES: torch.from_numpy(numbers), FUTURE: torch.from_numpy(np.array(arrays.known[ahead]))}
        ids, tensor, keep, goals, counted = map(torch.from_numpy, (rows, inputs, mask, targets, there & real[:, None]))
        return Batch(ids, tensor, keep, goals, counted, shard.count, extra)


class ForecastingData(DataModule[PreparedSeries, SeriesReader]):
    """Windows of series: the last `context` steps, and the `horizon` steps to predict.

    Give a `source` and a `cache`.

    context … split: see `SeriesSettings`.
    windows: of a training epoch, drawn at random; None: all there are.
    batch_size, eval_batch_size, seed, num_workers, licence: see `DataModule`; a batch is of windows.

    The inputs `[B, context, D]` are the scaled value; where values are missing, whether it is there; the past
    covariates; those that are known of the *next* step (and the calendar's); those of the series. `targets` are the
    scaled values `[B, horizon]`. `extra` has `future` `[B, horizon, K]`, the known covariates of the steps to predict,
    and `scales` `[B, 3]`: the shift and the scale of a value, and the denominator of MASE.

    The `count` of a batch is the number of values to predict in the global batch.

    Raises UserError as the source and `prepare_series` do.
    """

    vocabulary = None

    def __init__(
        self,
        source: PanelSource | None = None,
        cache: Path | str | None = None,
        *,
        context: Horizon = 48,
        horizon: Horizon = 12,
        stride: Size = 1,
        season: Size | None = None,
        fill: Annotated[str, OneOf(FILLS)] = "none",
        scale: Annotated[str, OneOf(SCALE_KINDS)] = "standard",
        calendar: Sequence[Annotated[str, OneOf(CALENDAR)]] = (),
        validation_fraction: Part = 0.15,
        test_fraction: Part = 0.15,
        split: Annotated[str, OneOf(SPLIT_BY)] = "time",
        windows: Size | None = None,
        licence: str | None = None,
        batch_size: Size = 64,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence)
        self.settings = SeriesSettings(
            context=context, horizon=horizon, stride=stride, season=season, fill=fill, scale=scale,
            calendar=tuple(calendar), validation_fraction=validation_fraction, test_fraction=test_fraction, split=split,
        )  # fmt: skip
        self.windows = windows
        given, place = self.required(source, cache)
        self.prepared = prepare_series(given, place, self.settings)
        meta = self.prepared.meta
        self.reader = SeriesReader(
            self.spec, context, fill, scale, tuple(calendar), meta["step"], meta["zone"], tuple(meta["past"]),
            tuple(meta["known"]), tuple(meta["static"]), tuple(meta["covariate_scales"]), dict(files_of(given)),
        )  # fmt: skip

    @property
    def splits(self) -> dict[str, Windows]:
        return dict(self.prepared.splits)

    @property
    def season(self) -> int:
        return int(self.prepared.meta["season"])

    def errors(self, split: str) -> np.ndarray:
        """`[S]`, the denominators of MASE: of all values before the split."""
        return self.prepared.arrays.errors[:, 1 if split == "test" else 0]

    def series_of(self, rows: np.ndarray, split: str = "test") -> list[str]:
        """The series of windows."""
        return [self.prepared.arrays.names[number] for number in self.splits[split].at(rows)[0].tolist()]

    def times_of(self, rows: np.ndarray, split: str = "test") -> list[str]:
        """The time of the first step to predict of windows, or its number in the series."""
        series, origins = self.splits[split].at(rows)
        times = self.prepared.arrays.times
        if times is None:
            return list(map(str, origins.tolist()))
        moments = times[self.prepared.arrays.offsets[series] + origins].astype("datetime64[s]")
        days = bool((moments == moments.astype("datetime64[D]")).all())
        return np.datetime_as_string(moments, unit="D" if days else "s").tolist()

    def example_ids(self, split: str) -> ExampleIds:
        """The series and the origin of each window. A group is a series if there are many; else a stretch of origins
        whose horizons overlap, of all series, as errors of one time are alike."""
        windows, rows = self.splits[split], np.arange(len(self.splits[split]))
        series, origins = windows.at(rows)
        names = self.series_of(rows, split)
        values = [f"{name} {time}" for name, time in zip(names, self.times_of(rows, split), strict=True)]
        if len(np.unique(series)) >= MANY_SERIES:
            return ExampleIds(values, groups=names)
        span = self.settings.horizon + (-self.settings.horizon) % windows.stride
        since = origins - windows.firsts[series]
        if since.max() >= LEAST_STRETCHES * 2 * span:  # then fewer windows overlap those of another stretch
            span *= 2
        return ExampleIds(values, groups=(since // span).tolist())

    def headline(self) -> str:
        lengths, settings = self.prepared.arrays.lengths, self.settings
        shortest = f"{lengths.min():,} to " if lengths.min() < lengths.max() else ""
        many = f"{len(lengths):,} series of {shortest}{lengths.max():,} steps"
        one = f"one series of {lengths.max():,} steps"
        return (
            f"{self.prepared.name}: {many if len(lengths) > 1 else one}, {self.sizes()} windows of {settings.context} "
            f"steps and the next {settings.horizon}; season {self.season}"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        windows, train, (rank, world) = self.splits[split], split == "train", self.rank_and_world
        gaps, fill = bool(self.prepared.meta["gaps"]), self.settings.fill
        make = partial(WindowDataset, self.prepared.arrays, windows, self.settings.context, fill, gaps)
        size, accumulate = (self.batch_size, self.accumulated) if train else (self.eval_batch_size, 1)
        sampler = WindowSampler(
            windows, size, self.seed, train, self.windows if train else None, rank, world, accumulate
        )
        return make(self.errors(split)), sampler
