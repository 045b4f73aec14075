"""Series from the columns of a table: long (a row per series and time), wide (a column per series), or a list a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain

import numpy as np

from lightning_seq.data.sources.panel import Panel
from lightning_seq.data.sources.panel_times import Stamps, grid_places, read_stamps, step_of, to_utc, zone_of
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain

Columns = Mapping[str, Sequence[object] | np.ndarray]
MOST_CLASSES = 50
"""Of a static covariate that is text."""


@dataclass(frozen=True, kw_only=True)
class PanelColumns:
    """The columns of a table of series.

    time_column:  times in ISO form, or whole numbers; None: the rows are in order.
    item_column:  the names of the series of a long table; None: one series, or a wide table.
    value_column: the values of a long table, or lists of them; None: a wide table.
    targets:      of a wide table, the columns that are series; None: all that are no others.
    past, known, static: covariates: numbers that are known up to the present, in the future too, and of a series (the
                  last may be texts).
    timezone:     of times without an offset, and of the clock that the calendar's features read; None: as they are.
    """

    time_column: str | None = None
    item_column: str | None = None
    value_column: str | None = None
    targets: Sequence[str] | None = None
    past: Sequence[str] = ()
    known: Sequence[str] = ()
    static: Sequence[str] = ()
    timezone: str | None = None

    def column_settings(self) -> dict[str, Plain]:
        """The values of these fields, as plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(PanelColumns)}
        return {name: list(value) if isinstance(value, list | tuple) else value for name, value in values.items()}

    def panel(self, columns: Columns, name: str, split: np.ndarray | None = None, revision: str | None = None) -> Panel:
        """The series of a table. split: `[rows]`, 0, 1 and 2 for rows of train, validation and test; None: not given.

        Raises UserError for a missing column, a value that is no number, and times that are not regular.
        """
        named = {"time_column": self.time_column, "item_column": self.item_column, "value_column": self.value_column}
        wanted = [(f"data.{key}", column) for key, column in named.items() if column is not None]
        wanted += [
            (f"data.{key}", column)
            for key in ("targets", "past", "known", "static")
            for column in getattr(self, key) or ()
        ]
        for key, column in wanted:
            if column not in columns:
                raise UserError(f"{name} has no column {column!r} ({key}); {near(column, list(columns))}")
        if self.timezone is not None:
            zone_of(self.timezone)
        if not len(next(iter(columns.values()), ())):
            raise UserError(f"{name} has no rows: expected at least one")
        value_column = self.value_column
        if value_column is not None and _is_list(columns[value_column]):
            return self._lists(columns, value_column, name, split, revision)
        if value_column is None:
            if self.item_column is not None:
                raise UserError(f"data.item_column={self.item_column} is of a long table: give data.value_column too")
            return self._wide(columns, name, split, revision)
        return self._long(columns, name, split, revision)

    def _long(self, columns: Columns, name: str, split: np.ndarray | None, revision: str | None) -> Panel:
        values = numbers_of(columns[str(self.value_column)], str(self.value_column), name)
        if self.item_column is None:
            items, names = np.zeros(len(values), dtype=np.int64), [str(self.value_column)]
        else:
            found, items = np.unique(np.array(list(map(str, columns[self.item_column]))), return_inverse=True)
            names = found.tolist()
        return self._on_grid(columns, values[None], items, names, name, split, revision)

    def _wide(self, columns: Columns, name: str, split: np.ndarray | None, revision: str | None) -> Panel:
        others = {self.time_column, *self.past, *self.known, *self.static}
        names = list(self.targets) if self.targets else [column for column in columns if column not in others]
        if not names:
            raise UserError(f"{name} has no column left that is a series: give data.targets=[COLUMN]")
        values = np.stack([numbers_of(columns[column], column, name) for column in names])
        items = np.zeros(values.shape[1], dtype=np.int64)
        return self._on_grid(columns, values, items, names, name, split, revision)

    def _on_grid(
        self,
        columns: Columns,
        values: np.ndarray,
        items: np.ndarray,
        names: list[str],
        name: str,
        split: np.ndarray | None,
        revision: str | None,
    ) -> Panel:
        """values: `[V, rows]`, V series of a wide table, or one row for all series of a long one."""
        stamps, notes = None, list[str]()
        if self.time_column is not None:
            stamps = read_stamps(columns[self.time_column], self.time_column, name)
            if len(stamps.seconds) != len(items):
                raise UserError(f"{name}: data.time_column={self.time_column} has another length than the values")
            if self.timezone is not None and stamps.local and not stamps.counted:
                utc, notes = to_utc(stamps.seconds, items, self.timezone)
                stamps = Stamps(utc)
            elif not stamps.local and self.timezone is None:
                notes.append("times with an offset are read in UTC; data.timezone= is of the clock of data.calendar")
        order = np.lexsort((np.arange(len(items)), items if stamps is None else stamps.seconds, items))
        items = items[order]
        starts = np.flatnonzero(np.diff(items, prepend=-1))
        ends = np.append(starts[1:], len(items))
        step: int | None = None
        if stamps is None:
            places = np.arange(len(items)) - np.repeat(starts, ends - starts)
        else:
            seconds = stamps.seconds[order]
            step = (
                step_of(seconds, starts)
                if not stamps.counted
                else int(_usual(np.delete(np.diff(seconds), starts[1:] - 1)))
            )
            places = grid_places(seconds, starts, step, names, name)
        lengths = places[ends - 1] + 1
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.repeat(offsets[:-1], ends - starts) + places
        total = int(offsets[-1])
        inserted = total - len(items)
        if inserted:
            notes.append(f"{inserted:,} steps that the times skip are missing values, of {total:,} steps in all")

        def spread(column: np.ndarray) -> np.ndarray:
            full = np.full(total, np.nan)
            full[rows] = column[order]
            return full

        def covariates(listed: Sequence[str]) -> np.ndarray | None:
            made = [spread(numbers_of(columns[column], column, name)) for column in listed]
            return np.stack(made, 1) if made else None

        times = None
        if stamps is not None and not stamps.counted and step is not None:
            first = seconds[starts]
            within = np.arange(total) - np.repeat(offsets[:-1], lengths)
            times = _times(first, within, np.repeat(np.arange(len(starts)), lengths), step)
        given = None if split is None else _ends(split[order], rows, offsets)
        copies = len(values)

        def copied(part: np.ndarray | None) -> np.ndarray | None:
            return None if part is None else np.concatenate([part] * copies)

        kept = names if copies > 1 or len(starts) == len(names) else [names[number] for number in items[starts]]
        static, static_names = self._static(columns, order[starts], name)
        return Panel(
            kept,
            np.concatenate([spread(row) for row in values]),
            np.concatenate([offsets[:-1] + total * copy for copy in range(copies)] + [[total * copies]]),
            copied(times),
            copied(covariates(self.past)),
            tuple(self.past),
            copied(covariates(self.known)),
            tuple(self.known),
            copied(static),
            static_names,
            copied(given),
            None,
            step if times is not None else None,
            self.timezone,
            revision,
            notes,
        )

    def _static(self, columns: Columns, firsts: np.ndarray, name: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Of each series the value in its first row; a text is one number for each of its values."""
        made, names = list[np.ndarray](), list[str]()
        for column in self.static:
            values = np.asarray(columns[column], dtype=object)[firsts]
            if all(isinstance(value, str) for value in values.tolist()):
                classes = sorted(set(values.tolist()))
                if len(classes) > MOST_CLASSES:
                    raise UserError(
                        f"{name}: {column!r} (data.static) has {len(classes):,} different texts, at most "
                        f"{MOST_CLASSES} are read: leave it out"
                    )
                made += [np.array([value == one for value in values], dtype=float) for one in classes]
                names += [f"{column}={one}" for one in classes]
            else:
                made.append(numbers_of(values, column, name))
                names.append(column)
        return (np.stack(made, 1) if made else None), tuple(names)

    def _lists(
        self, columns: Columns, value_column: str, name: str, split: np.ndarray | None, revision: str | None
    ) -> Panel:
        """A row is a series, or the next part of it: parts of one item are joined in the order train, validation,
        test."""
        lists = [numbers_of(np.asarray(one, dtype=object), value_column, name) for one in columns[value_column]]
        keys = list(map(str, columns[self.item_column])) if self.item_column else list(map(str, range(len(lists))))
        names = list(dict.fromkeys(keys))
        if split is None:
            repeated = len(keys) - len(names)
            if repeated:
                raise UserError(f"{name}: {repeated:,} series come twice: expected one row for each")
            split = np.zeros(len(lists), dtype=np.int8)
            ends = None
        parts: dict[str, list[np.ndarray]] = {key: [np.array([])] * 3 for key in names}
        for key, part, one in zip(keys, split.tolist(), lists, strict=True):
            parts[key][part] = one
        lengths = np.array([[len(part) for part in parts[key]] for key in names])
        there = set(split.tolist())
        if there != {0}:
            ends = np.full((len(names), 2), -1, dtype=np.int64)
            if 1 in there:
                ends[:, 0] = lengths[:, 0]
            ends[:, 1] = lengths[:, :2].sum(1) if 2 in there else -1
        starts = None
        if self.time_column is not None:
            starts = read_stamps(columns[self.time_column], self.time_column, name)
        if starts is not None:
            raise UserError("data.time_column is of tables with one value a row: leave it out for lists")
        return Panel(
            names,
            np.concatenate(list(chain.from_iterable(parts[key] for key in names))),
            np.concatenate([[0], np.cumsum(lengths.sum(1))]),
            ends=ends if there != {0} else None,
            zone=self.timezone,
            revision=revision,
        )


def numbers_of(column: Sequence[object] | np.ndarray, name: str, place: str) -> np.ndarray:
    """`[rows]` float64, NaN where nothing is. Raises UserError, with the row, for anything else."""
    array = np.asarray(column)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    values = np.empty(len(array), dtype=np.float64)
    for row, value in enumerate(array.tolist()):
        try:
            values[row] = np.nan if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            raise UserError(
                f"{place}, row {row + 1}: column {name!r} has {str(value)!r}, expected a number: name it as "
                "time_column or item_column (in training data.time_column, data.item_column, data.static), or leave it "
                "out by data.targets"
            ) from None
    return values


def _is_list(column: Sequence[object] | np.ndarray) -> bool:
    return isinstance(next(iter(column), None), list | np.ndarray)


def _usual(gaps: np.ndarray) -> int:
    if not len(gaps):
        return 1
    sizes, counts = np.unique(gaps, return_counts=True)
    return max(int(sizes[counts.argmax()]), 1)


def _times(firsts: np.ndarray, within: np.ndarray, series: np.ndarray, step: int) -> np.ndarray:
    if step:
        return firsts[series] + within * step
    moments = np.array(firsts, dtype="datetime64[s]")
    months = moments.astype("datetime64[M]")
    rest = (moments - months.astype("datetime64[s]")).astype(np.int64)
    return (months[series] + within).astype("datetime64[s]").astype(np.int64) + rest[series]


def _ends(split: np.ndarray, rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """`[S, 2]`, the steps before the first row of each later part; -1 for a part that no row is of."""
    ends = np.full((len(offsets) - 1, 2), -1, dtype=np.int64)
    series = np.searchsorted(offsets, rows, side="right") - 1
    for part in (1, 2):
        mine = split == part
        first = np.full(len(ends), np.iinfo(np.int64).max)
        np.minimum.at(first, series[mine], (rows - offsets[series])[mine])
        if mine.any():
            ends[:, part - 1] = np.where(first < np.iinfo(np.int64).max, first, np.diff(offsets))
    return ends
