"""Forecasts of the series in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightning_seq.builders.forecasting import forecasts, steps_of
from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.task_kind import Loaded, Row
from lightning_seq.data.sources.panel import Panel
from lightning_seq.data.sources.panel_columns import PanelColumns
from lightning_seq.data.sources.series import read_table


def read_series(loaded: Loaded, path: Path, **columns: str | None) -> Panel:
    """The series of a file, by the columns of the training; columns: others, by the names of `PanelColumns`.

    Raises UserError as `PanelColumns.panel` does.
    """
    check_verb("forecast", loaded.kind)
    given = {name: column for name, column in columns.items() if column is not None}
    return replace(PanelColumns(**loaded.reader.files), **given).panel(read_table(path), path.name)


def series_forecasts(loaded: Loaded, panel: Panel, batch_size: int = 64) -> Iterator[Row]:
    """A row for each series and step after its last value: series, time (if times are known), step, prediction, and the
    quantiles of a model that has them. `batch_size` series are read at a time."""
    for first in range(0, len(panel.names), batch_size):
        part = _part(panel, first, min(first + batch_size, len(panel.names)))
        point, quantiles = forecasts(loaded, loaded.reader.batch(part))
        for row, name in enumerate(part.names):
            times = loaded.reader.times(part, row)
            for step, one in enumerate(steps_of(loaded, point, quantiles, row)):
                time = {} if times is None else {"time": str(np.datetime64(int(times[step]), "s"))}
                yield {"series": name, **time, **one}


def _part(panel: Panel, first: int, stop: int) -> Panel:
    start, end = int(panel.offsets[first]), int(panel.offsets[stop])

    def rows(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[start:end]

    return replace(
        panel,
        names=panel.names[first:stop],
        values=panel.values[start:end],
        offsets=panel.offsets[first : stop + 1] - start,
        times=rows(panel.times),
        past=rows(panel.past),
        known=rows(panel.known),
        static=None if panel.static is None else panel.static[first:stop],
        ends=None,
    )
