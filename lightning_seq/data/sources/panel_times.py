"""The times of series: read, brought to UTC, and put on a regular grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from lightning_seq.errors import UserError

DAY = 86_400
MOST_GAPS = 50
"""Missing steps for each step that is there: a wrong step would need far more memory than the data."""


@dataclass(frozen=True)
class Stamps:
    """seconds: `[N]` int64 in UTC, or whole numbers without a unit (`counted`). local: times without an offset."""

    seconds: np.ndarray
    counted: bool = False
    local: bool = True


def read_stamps(values: Sequence[object] | np.ndarray, column: str, name: str) -> Stamps:
    """Raises UserError, with the row, for a value that is no time."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return Stamps(array.astype(np.int64), counted=True)
    if array.dtype.kind == "M":
        return Stamps(array.astype("datetime64[s]").astype(np.int64))
    texts = [str(value) for value in array.tolist()]
    try:
        if not any(text.endswith("Z") or "+" in text or text[10:].count("-") for text in texts):
            return Stamps(np.array(texts, dtype="datetime64[s]").astype(np.int64))
    except ValueError:
        pass
    seconds, offsets = np.zeros(len(texts), dtype=np.int64), 0
    for row, text in enumerate(texts):
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise UserError(
                f"{name}, row {row + 1}: {text!r} is no time (data.time_column={column}): expected one such as "
                "2024-01-31, 2024-01-31 13:00 or 2024-01-31T13:00:00+01:00"
            ) from None
        offsets += moment.tzinfo is not None
        seconds[row] = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    if 0 < offsets < len(texts):
        raise UserError(f"{name}: {offsets:,} of {len(texts):,} times have an offset from UTC: expected all or none")
    return Stamps(seconds, local=not offsets)


def zone_of(timezone: str) -> ZoneInfo:
    """Raises UserError for an unknown zone."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(f"data.timezone={timezone} is unknown: expected a name such as Europe/Berlin") from None


def to_utc(seconds: np.ndarray, items: np.ndarray, timezone: str) -> tuple[np.ndarray, list[str]]:
    """Times of the clock in a zone, as seconds in UTC, and notes. Of a time that an item has twice, as when summer time
    ends, the second is an hour later."""
    zone = zone_of(timezone)
    order = np.lexsort((np.arange(len(seconds)), seconds, items))
    again = np.zeros(len(seconds), dtype=np.int64)
    same = (np.diff(seconds[order]) == 0) & (np.diff(items[order]) == 0)
    again[order[1:][same]] = 1
    pairs, places = np.unique(np.stack([seconds, again]), axis=1, return_inverse=True)
    moved, skipped = np.zeros(pairs.shape[1], dtype=np.int64), 0
    for number, (second, fold) in enumerate(pairs.T.tolist()):
        local = datetime.fromtimestamp(second, UTC).replace(tzinfo=zone, fold=fold)
        utc = int(local.timestamp())
        back = datetime.fromtimestamp(utc, zone)
        skipped += back.replace(tzinfo=None) != local.replace(tzinfo=None)
        moved[number] = utc
    notes = [f"times are of the clock in {timezone}: {int(again.sum()):,} come twice (summer time ends)"]
    if skipped:
        notes.append(f"{skipped:,} different times do not exist in {timezone} (summer time begins): an hour later")
    return moved[places.reshape(-1)], notes


def step_of(seconds: np.ndarray, starts: np.ndarray) -> int:
    """The most frequent difference within the series that begin at `starts`; 0 for months."""
    gaps = np.diff(seconds)
    gaps = np.delete(gaps, starts[1:] - 1)
    if not len(gaps):
        return DAY
    sizes, counts = np.unique(gaps, return_counts=True)
    usual = int(sizes[counts.argmax()])
    days = np.array(seconds, dtype="datetime64[s]").astype("datetime64[D]")
    if 28 * DAY <= usual <= 31 * DAY:
        in_month = (days - days.astype("datetime64[M]")).astype(np.int64)
        if len(np.unique(in_month)) == 1 or in_month.min() >= 27:
            return 0
    return usual


def grid_places(seconds: np.ndarray, starts: np.ndarray, step: int, names: Sequence[str], name: str) -> np.ndarray:
    """`[N]`, the step of each time in its series, from 0.

    Raises UserError for times that come twice or are between two steps, and for a grid that is mostly empty.
    """
    ends = np.append(starts[1:], len(seconds))
    if step == 0:
        numbers = np.array(seconds, dtype="datetime64[s]").astype("datetime64[M]").astype(np.int64)
    else:
        numbers = seconds
    places = numbers - np.repeat(numbers[starts], ends - starts)
    unit = step or 1
    uneven = np.flatnonzero(places % unit)
    if len(uneven):
        row = int(uneven[0])
        which = names[int(np.searchsorted(starts, row, side="right")) - 1]
        raise UserError(
            f"{name}: the times of {which} are not regular: {_shown(seconds[row])} is no whole number of steps of "
            f"{unit:,} seconds after its first time; resample the series to equal steps"
        )
    places //= unit
    inside = np.ones(len(places), dtype=bool)
    inside[starts] = False
    twice = np.flatnonzero((np.diff(places, prepend=-1) == 0) & inside)
    if len(twice):
        row = int(twice[0])
        which = names[int(np.searchsorted(starts, row, side="right")) - 1]
        raise UserError(
            f"{name}: {which} has {_shown(seconds[row])} twice: expected one value for each time; where a clock is set "
            "back in autumn give data.timezone=, such as Europe/Berlin"
        )
    total = int((places[ends - 1] + 1).sum())
    if total > MOST_GAPS * len(places) + 1000:
        raise UserError(
            f"{name}: {total:,} steps of {unit:,} seconds would hold {len(places):,} values: expected regular times; "
            "resample the series"
        )
    return places


def _shown(second: int) -> str:
    return str(np.datetime64(int(second), "s"))
