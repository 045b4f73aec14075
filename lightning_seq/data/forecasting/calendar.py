"""Features of the clock and the calendar, and times after the end of a series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

DAY = 86_400
PERIODS = {"hour_of_day": 24, "day_of_week": 7, "day_of_month": 31, "day_of_year": 366, "month_of_year": 12}


def wall_clock(times: np.ndarray, zone: str | None) -> np.ndarray:
    """The seconds that a clock in the zone shows at these seconds in UTC."""
    if zone is None:
        return times
    # The offset of a zone changes at whole quarters of an hour.
    quarters, places = np.unique(times // 900, return_inverse=True)
    clock = ZoneInfo(zone)
    offsets = [
        int((datetime.fromtimestamp(q * 900, UTC).astimezone(clock).utcoffset() or UTC.utcoffset(None)).total_seconds())
        for q in quarters.tolist()
    ]
    return times + np.array(offsets, dtype=np.int64)[places]


def calendar_features(times: np.ndarray, zone: str | None, names: Sequence[str]) -> np.ndarray:
    """`[N, 2 · names]` float32, sine and cosine of each feature's place in its period."""
    moments = wall_clock(times, zone).astype("datetime64[s]")
    days, months, years = (moments.astype(f"datetime64[{unit}]") for unit in "DMY")
    phases = {
        "hour_of_day": (moments - days).astype(np.int64) / 3600,
        "day_of_week": (days.astype(np.int64) + 3) % 7,
        "day_of_month": (days - months).astype(np.int64),
        "day_of_year": (days - years).astype(np.int64),
        "month_of_year": months.astype(np.int64) % 12,
    }
    angles = [2 * np.pi * phases[name] / PERIODS[name] for name in names]
    return np.stack([wave(angle) for angle in angles for wave in (np.sin, np.cos)], -1).astype(np.float32)


def calendar_names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}_{wave}" for name in names for wave in ("sin", "cos"))


def following(last: int, step: int, steps: int) -> np.ndarray:
    """The times of the next steps, in seconds. step: 0 is a month."""
    if step:
        return last + step * np.arange(1, steps + 1, dtype=np.int64)
    moment = np.datetime64(last, "s")
    month = moment.astype("datetime64[M]")
    rest = (moment - month.astype("datetime64[s]")).astype(np.int64)
    return (month + np.arange(1, steps + 1)).astype("datetime64[s]").astype(np.int64) + rest
