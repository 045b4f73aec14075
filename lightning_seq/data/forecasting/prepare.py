"""Series as arrays on disk: one flat array of values, their scales, and the parts of the splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, write_meta
from lightning_seq.data.forecasting.calendar import calendar_features, calendar_names
from lightning_seq.data.forecasting.settings import SeriesSettings
from lightning_seq.data.forecasting.windows import Windows
from lightning_seq.data.sources.panel import Panel, PanelSource
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.token_arrays import mapped
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.spec import DataSpec, Features, Future

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""
ARRAYS = ("values", "observed", "others", "known", "static", "offsets", "ends", "scales", "errors")
LEAST_SCALE = 1e-8


@dataclass(frozen=True)
class SeriesArrays:
    """values:   `[N]` float32, NaN where missing, as the source has them; observed: `[N + 1]`, see `Windows`.
    others:   `[N, P]` past covariates and known: `[N, K]` known ones and the calendar's, scaled; static: `[S, Z]`.
    offsets:  `[S + 1]`; ends: `[S, 2]`, see `Panel`.
    scales:   `[S, 2]`, what is subtracted from the values of a series, and what they are then divided by.
    errors:   `[S, 2]`, the mean absolute error of seasonal naive before the validation and before the test part.
    names:    of the series. times: `[N]` or None.
    """

    values: np.ndarray
    observed: np.ndarray
    others: np.ndarray
    known: np.ndarray
    static: np.ndarray
    offsets: np.ndarray
    ends: np.ndarray
    scales: np.ndarray
    errors: np.ndarray
    names: tuple[str, ...]
    times: np.ndarray | None = None

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


@dataclass(frozen=True, kw_only=True)
class PreparedSeries(PreparedData[Windows]):
    """meta: what a reader of new series needs besides the settings."""

    arrays: SeriesArrays
    meta: Mapping[str, Plain]


def prepare_series(source: PanelSource, cache: Path | str, settings: SeriesSettings) -> PreparedSeries:
    """The source's series as arrays, from the cache where they are there and whole.

    Raises UserError for a mistake in the source, and for series that are too short.
    """
    decides = {key: value for key, value in settings.to_plain().items() if key not in ("stride", "context", "fill")}
    identity = {"source": source.identity(), "series": decides, "series_code": CODE_VERSION}

    def build(directory: Path, name: str, panel: Panel) -> None:
        _build(directory, name, panel, settings)

    def read(directory: Path, meta: dict[str, Plain], common: CachedFields) -> PreparedSeries:
        parts = {name: _read_array(directory, name, meta) for name in ARRAYS}
        times = mapped(directory, "times") if meta["times"] else None
        arrays = SeriesArrays(**parts, names=tuple(meta["series"]), times=times)
        targets = Future(
            settings.horizon, meta["season"], len(meta["known"]), len(meta["past"]), meta["counts"], meta["gaps"],
            settings.scale,
        )  # fmt: skip
        splits = {split: windows_of(arrays, settings, split) for split in SPLITS}
        notes = [*common["report"], *_short(arrays, splits)]
        common["report"] = tuple(notes)
        common["fingerprints"] = {
            "data": common["fingerprints"]["data"],
            "split": fingerprint({"ends": common["fingerprints"]["split"], **settings.to_plain()}),
        }
        names = ("value", *(["observed"] if meta["gaps"] else []), *meta["past"], *meta["known"], *meta["static"])
        spec = DataSpec(Features(len(names), names), targets)
        return PreparedSeries(spec=spec, splits=splits, arrays=arrays, meta=meta, **common)

    data = prepared(source, cache, identity, build, read)
    for split, windows in data.splits.items():
        if not len(windows):
            raise UserError(
                f"{source.describe()}: no series has {settings.horizon} steps in its {split} part: give a smaller "
                "data.horizon, or longer series"
            )
    return data


def _read_array(directory: Path, name: str, meta: Mapping[str, Plain]) -> np.ndarray:
    """The array, on disk; covariates that do not exist have no file that can be mapped."""
    if name in ("others", "known", "static"):
        columns = meta["past" if name == "others" else name]
        if not columns:
            size = meta["steps"] if name != "static" else len(meta["series"])
            return np.zeros((size, 0), dtype=np.float32)
    return np.asarray(mapped(directory, name))


def windows_of(arrays: SeriesArrays, settings: SeriesSettings, split: str) -> Windows:
    """The windows of a split. A series too short for the context gives training one window, with what it has."""
    begins, horizon, stride = arrays.ends, settings.horizon, settings.stride
    if split == "train":
        stop, stride = begins[:, 0], 1
        first = np.minimum(settings.context, np.maximum(stop - horizon, 1))
    else:
        first = np.maximum(begins[:, 0 if split == "validation" else 1], 1)
        stop = begins[:, 1] if split == "validation" else arrays.lengths
    counts = np.maximum((stop - horizon - first) // stride + 1, 0)
    return Windows(first, counts, stride, arrays.offsets[:-1], arrays.observed, horizon)


def _short(arrays: SeriesArrays, splits: Mapping[str, Windows]) -> list[str]:
    without = {split: int((windows.counts == 0).sum()) for split, windows in splits.items()}
    return [
        f"{split}: {count:,} of {len(arrays.names):,} series with too few steps for one horizon"
        for split, count in without.items()
        if count
    ]


def _build(directory: Path, name: str, panel: Panel, settings: SeriesSettings) -> None:
    values = np.asarray(panel.values, dtype=np.float32)
    offsets = np.asarray(panel.offsets, dtype=np.int64)
    if not len(values) or np.isnan(values).all():
        raise UserError(f"{name} has no value: expected at least one series of numbers")
    if np.isinf(values).any():
        raise UserError(f"{name} has an infinite value: expected numbers, or nothing where a value is missing")
    ends = part_ends(offsets, panel.ends, settings)
    season, there = settings.season or panel.season or 1, ~np.isnan(values)
    in_train = np.zeros(len(values), dtype=bool)
    for start, end in zip(offsets[:-1].tolist(), ends[:, 0].tolist(), strict=True):
        in_train[start : start + end] = True
    others, other_scale = _standardised(panel.past, in_train, len(values))
    known, known_scale = _standardised(panel.known, in_train, len(values))
    static, static_scale = _standardised(panel.static, np.ones(len(panel.names), dtype=bool), len(panel.names))
    known_names = panel.known_names
    if settings.calendar:
        clock = calendar_features(_times(panel, name), panel.zone, settings.calendar)
        known, known_names = np.concatenate([known, clock], 1), (*known_names, *calendar_names(settings.calendar))
    series = [values[start:stop] for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    scales = np.array([scale_of(one[:end], settings.scale) for one, end in zip(series, ends[:, 0], strict=True)])
    errors = np.array(
        [[naive_error(one[:end], season) for end in both] for one, both in zip(series, ends.tolist(), strict=True)]
    )
    observed = np.concatenate([[0], np.cumsum(there)]).astype(np.int64)
    arrays: tuple[np.ndarray, ...] = (values, observed, others, known, static, offsets, ends, scales, errors)
    for array_name, array in zip(ARRAYS, arrays, strict=True):
        np.save(directory / f"{array_name}.npy", array)
    if panel.times is not None:
        np.save(directory / "times.npy", panel.times)
    digest = hashlib.sha256("\n".join(map(str, panel.names)).encode())
    for array in arrays:
        digest.update(f"{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    missing = int((~there).sum())
    notes = [*panel.notes]
    if not (settings.season or panel.season):
        notes.append("season: 1, as none is known: seasonal naive is naive (data.season=7 if 7 steps are a period)")
    if missing:
        notes.append(
            f"{missing:,} of {len(values):,} values are missing: they do not count (data.fill fills inputs alone)"
        )
    if constant := int((scales[:, 1] == 1.0).sum()) if settings.scale != "none" else 0:
        notes.append(f"{constant:,} series without any change in the train part: not divided")
    meta: dict[str, Plain] = {
        "series": list(map(str, panel.names)),
        "steps": len(values),
        "times": panel.times is not None,
        "season": season,
        "known": list(known_names),
        "past": list(panel.past_names),
        "static": list(panel.static_names),
        "gaps": bool(missing),
        "counts": bool((values[there] >= 0).all() and (values[there] == np.round(values[there])).all()),
        "step": panel.step,
        "zone": panel.zone,
        "covariate_scales": [other_scale, known_scale, static_scale],
        "fingerprints": {"data": digest.hexdigest()[:16], "split": hashlib.sha256(ends.tobytes()).hexdigest()[:16]},
    }
    write_meta(directory, meta, panel.revision, notes)


def _times(panel: Panel, name: str) -> np.ndarray:
    if panel.times is None:
        raise UserError(f"data.calendar reads the clock, and {name} has no times: give data.calendar=[]")
    return panel.times


def _standardised(values: np.ndarray | None, fitted: np.ndarray, size: int) -> tuple[np.ndarray, list[list[float]]]:
    """Covariates by the mean and deviation of the `fitted` rows, 0 where missing; and these numbers."""
    if values is None or not values.shape[1]:
        return np.zeros((size, 0), dtype=np.float32), []
    values = np.asarray(values, dtype=np.float64)
    stats = [_mean_and_deviation(column[fitted]) for column in values.T]
    return standardised(values, stats), [list(pair) for pair in stats]


def standardised(values: np.ndarray, stats: object) -> np.ndarray:
    means, deviations = np.array(stats, dtype=np.float64).reshape(-1, 2).T
    return np.nan_to_num((values - means) / deviations, posinf=0.0, neginf=0.0).astype(np.float32)


def _mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    deviation = float(values.std())
    return float(values.mean()), deviation if deviation > LEAST_SCALE else 1.0


def part_ends(offsets: np.ndarray, given: np.ndarray | None, settings: SeriesSettings) -> np.ndarray:
    """`[S, 2]`, the steps before the validation and before the test part: the source's own, else the last share of each
    series, at least a horizon."""
    lengths = np.diff(offsets)
    ends = np.full((len(lengths), 2), -1, dtype=np.int64) if given is None else np.array(given, dtype=np.int64)
    least = settings.horizon
    test = np.maximum(np.round(lengths * settings.test_fraction).astype(np.int64), least)
    ends[:, 1] = np.where(ends[:, 1] >= 0, ends[:, 1], np.maximum(lengths - test, 0))
    validation = np.maximum(np.round(lengths * settings.validation_fraction).astype(np.int64), least)
    ends[:, 0] = np.where(ends[:, 0] >= 0, ends[:, 0], np.maximum(ends[:, 1] - validation, 0))
    return ends


def scale_of(values: np.ndarray, kind: str) -> tuple[float, float]:
    """What is subtracted from values, and what they are divided by: 1 for values without any change."""
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if kind == "none" or not len(values):
        return 0.0, 1.0
    if kind == "standard":
        shift, scale = float(values.mean()), float(values.std())
    elif kind == "mean_abs":
        shift, scale = 0.0, float(np.abs(values).mean())
    elif kind == "minmax":
        shift, scale = float(values.min()), float(values.max() - values.min())
    else:
        low, shift, high = map(float, np.quantile(values, [0.25, 0.5, 0.75]))
        scale = high - low
    return shift, scale if scale > LEAST_SCALE * max(abs(shift), 1.0) else 1.0


def naive_error(values: np.ndarray, season: int) -> float:
    """The mean absolute change over a season, the denominator of MASE (Hyndman & Koehler 2006); over one step, then the
    mean size, then 1, where there is none."""
    values = np.asarray(values, dtype=np.float64)
    for back in (season, 1):
        changes = np.abs(values[back:] - values[:-back]) if len(values) > back else np.array([])
        changes = changes[~np.isnan(changes)]
        if len(changes) and changes.mean() > 0:
            return float(changes.mean())
    sizes = np.abs(values[~np.isnan(values)])
    return float(sizes.mean()) if len(sizes) and sizes.mean() > 0 else 1.0
