"""Series of numbers: many series as one flat array, in time order, with offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lightning_seq.files import Plain


@dataclass(frozen=True)
class Panel:
    """S series of N steps in all; series i is `values[offsets[i]:offsets[i + 1]]`.

    names:     `[S]`, of the series.
    values:    `[N]`, NaN where a value is missing.
    offsets:   `[S + 1]`.
    times:     `[N]` int64, seconds since 1970 in UTC; None for series without times.
    past:      `[N, P]`, covariates that are known up to the present; past_names: `[P]`.
    known:     `[N, K]`, covariates that are known in the future too; known_names: `[K]`.
    static:    `[S, Z]`, numbers of a series; static_names: `[Z]`.
    ends:      `[S, 2]`, the steps of each series before its validation part and before its test part; -1 where the
               source does not say.
    season:    steps of a period, such as 24 of hours; None: unknown.
    step:      seconds from one step to the next; 0: a month; None: unknown.
    zone:      the time zone of the clock that calendar features read; None: of the times.
    notes:     a line for each change that the user may not expect.
    """

    names: Sequence[str]
    values: np.ndarray
    offsets: np.ndarray
    times: np.ndarray | None = None
    past: np.ndarray | None = None
    past_names: tuple[str, ...] = ()
    known: np.ndarray | None = None
    known_names: tuple[str, ...] = ()
    static: np.ndarray | None = None
    static_names: tuple[str, ...] = ()
    ends: np.ndarray | None = None
    season: int | None = None
    step: int | None = None
    zone: str | None = None
    revision: str | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def single(cls, name: str, values: np.ndarray, season: int, first_month: str | None = None) -> Panel:
        """One series, by month from `first_month` (such as 1949-01) on, or without times."""
        times = None
        if first_month is not None:
            months = np.datetime64(first_month, "M") + np.arange(len(values))
            times = months.astype("datetime64[s]").astype(np.int64)
        offsets = np.array([0, len(values)])
        return cls([name], values, offsets, times, season=season, step=None if times is None else 0)


class PanelSource(Protocol):
    """The origin of series, see `table.Source`."""

    def describe(self) -> str: ...

    def identity(self) -> Plain: ...

    def load(self) -> Panel: ...
