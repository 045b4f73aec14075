"""forecasts.json: forecasts of chosen test windows, and the error by step, origin and series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord
from lightning_seq.records.numbers import thin

MOST_WINDOWS, MOST_PAST, MOST_STEPS, MOST_SERIES, MOST_ORIGINS = 8, 200, 400, 200, 5000


@dataclass(frozen=True)
class ForecastWindow(JsonRecord):
    """A test window. series, origin: its names; past: the values before, and target: those after the origin, None where
    missing; prediction, low, high: of each step (no interval for points)."""

    series: str
    origin: str
    past: tuple[float | None, ...]
    target: tuple[float | None, ...]
    prediction: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        read = super().from_plain({**plain, "past": plain["past"][-MOST_PAST:]})
        sizes = {
            len(read.target),
            len(read.prediction),
            len(read.low) or len(read.target),
            len(read.high) or len(read.target),
        }
        if len(sizes) > 1 or not read.target:
            raise ValueError(f"expected as many predictions as targets, {sorted(sizes)} came")
        cut = {name: tuple(getattr(read, name)[:MOST_STEPS]) for name in ("target", "prediction", "low", "high")}
        return cls(read.series[:200], read.origin[:200], read.past, **cut)


@dataclass(frozen=True)
class NamedError(JsonRecord):
    """The MASE of a series, or of all windows of an origin."""

    name: str
    mase: float


@dataclass(frozen=True)
class Level(JsonRecord):
    """The share of the values below the predicted quantile of a level."""

    level: float
    share: float


@dataclass(frozen=True)
class Forecasts(JsonRecord):
    """interval: the share that `low` and `high` should hold. steps: the MASE of each step.

    overlap: how many further origins a window overlaps. series: the worst first; origins: in order of time, all series
    together.
    """

    interval: float
    overlap: int
    windows: tuple[ForecastWindow, ...]
    steps: tuple[float, ...]
    levels: tuple[Level, ...]
    series: tuple[NamedError, ...]
    origins: tuple[NamedError, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        return super().from_plain(
            {
                **plain,
                "windows": thin(list(plain["windows"]), MOST_WINDOWS),
                "series": list(plain["series"])[:MOST_SERIES],
                "origins": list(plain["origins"])[:MOST_ORIGINS],
                "steps": list(plain["steps"])[:MOST_STEPS],
            }
        )
