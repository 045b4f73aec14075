"""The inputs of windows, and the reader of new series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lightning_seq.data.forecasting.calendar import calendar_features, following
from lightning_seq.data.forecasting.prepare import scale_of, standardised
from lightning_seq.data.forecasting.windows import filled
from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.data.sources.panel import Panel
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.spec import FUTURE, SCALES, Batch, Future

EXAMPLE = '[112, 118, null, 129] or {"target": [112, 118], "start": "1949-01-01"}'


def model_inputs(
    values: np.ndarray,
    lengths: np.ndarray,
    scales: np.ndarray,
    fill: str,
    gaps: bool,
    features: Sequence[np.ndarray],
) -> np.ndarray:
    """The features of the steps of windows, `[B, C, D]` float32, 0 after the end of a window.

    values: `[B, C]`, NaN where missing. scales: `[B, 2]`. features: further ones, each `[B, C, F]`.
    """
    there = ~np.isnan(values)
    scaled = (filled(values, lengths, fill) - scales[:, :1]) / scales[:, 1:2]
    columns = [np.nan_to_num(scaled)[..., None], *([there[..., None]] if gaps else []), *features]
    inputs = np.concatenate(columns, -1).astype(np.float32)
    inputs[np.arange(values.shape[1]) >= lengths[:, None]] = 0
    return inputs


@dataclass(frozen=True)
class SeriesReader(Reader):
    """Reads the past of series, whose future is to be predicted.

    context, fill, scale, calendar: see `SeriesSettings`. step, zone, known, past, static: see `Panel`, the known ones
    with those of the calendar. covariate_scales: means and deviations of past, known and static covariates.
    source: the settings of the source that reads files.

    The scale of a new series is that of all its given values.
    """

    KIND = "series"
    OBJECTS = True
    context: int
    fill: str
    scale: str
    calendar: tuple[str, ...]
    step: int | None
    zone: str | None
    past: tuple[str, ...]
    known: tuple[str, ...]
    static: tuple[str, ...]
    covariate_scales: tuple[list[list[float]], ...]
    files: Plain

    @property
    def future(self) -> Future:
        return self.spec.targets_as(Future)

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of series in JSON: a list of numbers, null where a value is missing, or an object with `target`,
        and `start`, the time of its first step.

        Raises UserError, with the number of the text, for any other text, and for a model that reads covariates.
        """
        check_some(texts, "series")
        if self.past or self.static or len(self.known) > 2 * len(self.calendar):
            raise UserError("this model reads covariates, which a list of numbers lacks: use lightning-seq forecast")
        return self.batch(_joined([self._panel(text, f"text {number}: ") for number, text in enumerate(texts, first)]))

    def note(self, text: str) -> Note | None:
        return refusal(lambda: self._panel(text)) if text.strip() else EMPTY

    def _panel(self, text: str, place: str = "") -> Panel:
        shown = text if len(text) <= 60 else f"{text[:60]} …"
        problem = UserError(f"{place}{shown} came, expected the values of a series in JSON, such as {EXAMPLE}")
        try:
            read = json.loads(text)
            listed = read["target"] if isinstance(read, dict) else read
            values = np.array([np.nan if value is None else float(value) for value in listed])
            start = read.get("start") if isinstance(read, dict) else None
            begin = None if start is None else int(np.datetime64(str(start), "s").astype(np.int64))
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            raise problem from None
        if not len(values) or np.isnan(values).all() or np.isinf(values).any():
            raise problem
        times = None
        if self.calendar:
            if begin is None or self.step is None:
                raise UserError(f"{place}this model reads the clock: give the series as an object, {EXAMPLE}")
            times = np.append(begin, following(begin, self.step, len(values) - 1))
        return Panel([place.strip(": ") or "series"], values, np.array([0, len(values)]), times, step=self.step)

    def batch(self, panel: Panel) -> Batch:
        """The last `context` steps of each series, up to its last value. Steps after it are the future, whose known
        covariates are read; those of the calendar are computed.

        Raises UserError for a series without a value, and for known covariates that do not reach the horizon.
        """
        future, spans = self.future, list(zip(panel.offsets[:-1].tolist(), panel.offsets[1:].tolist(), strict=True))
        origins = [
            start + _last(panel.values[start:stop], panel.names[number]) for number, (start, stop) in enumerate(spans)
        ]
        lengths = np.array([min(self.context, o - start) for o, (start, _) in zip(origins, spans, strict=True)])
        width, size = int(lengths.max()), len(spans)
        values = np.full((size, width), np.nan)
        others, known = np.zeros((size, width, len(self.past))), np.zeros((size, width, len(self.known)))
        ahead = np.zeros((size, future.horizon, len(self.known)), dtype=np.float32)
        scales = np.zeros((size, 3), dtype=np.float32)
        for row, (origin, (start, stop)) in enumerate(zip(origins, spans, strict=True)):
            length = int(lengths[row])
            values[row, :length] = panel.values[origin - length : origin]
            scales[row] = (*scale_of(panel.values[start:origin], self.scale), 1.0)
            if self.past and panel.past is not None:
                others[row, :length] = standardised(panel.past[origin - length : origin], self.covariate_scales[0])
            if self.known:
                reach = self._known(panel, start, origin, stop, panel.names[row])
                known[row, :length] = reach[origin - start - length + 1 : origin - start + 1]
                ahead[row] = reach[origin - start :]
        features = [others, known]
        if self.static and panel.static is not None:
            static = standardised(panel.static, self.covariate_scales[2])
            features.append(np.repeat(static[:, None], width, 1))
        inputs = model_inputs(values, lengths, scales, self.fill, future.gaps, features)
        mask = np.arange(width) < lengths[:, None]
        zeros = torch.zeros(size, future.horizon)
        extra = {SCALES: torch.from_numpy(scales), FUTURE: torch.from_numpy(ahead)}
        rows = torch.arange(size)
        return Batch(rows, torch.from_numpy(inputs), torch.from_numpy(mask), zeros, zeros.bool(), 0, extra)

    def times(self, panel: Panel, row: int) -> np.ndarray | None:
        """The times of the horizon of a series; None without times."""
        start, stop = int(panel.offsets[row]), int(panel.offsets[row + 1])
        if panel.times is None or (panel.step if self.step is None else self.step) is None:
            return None
        last = start + _last(panel.values[start:stop], panel.names[row]) - 1
        step = self.step if self.step is not None else panel.step
        return following(int(panel.times[last]), int(step or 0), self.future.horizon)

    def _known(self, panel: Panel, start: int, origin: int, stop: int, name: str) -> np.ndarray:
        """The known covariates from the first step to the end of the horizon, `[steps, K]`."""
        steps, own = origin - start + self.future.horizon, len(self.known) - 2 * len(self.calendar)
        parts = []
        if own:
            if panel.known is None or stop - start < steps:
                raise UserError(
                    f"{name}: the known covariates {', '.join(self.known[:own])} are needed for {self.future.horizon} "
                    f"steps after the last value, {stop - origin} came: add rows without a value"
                )
            parts.append(standardised(panel.known[start : start + steps], self.covariate_scales[1]))
        if self.calendar:
            if panel.times is None or self.step is None:
                raise UserError(f"{name}: this model reads the clock, and the series has no times")
            times = panel.times[start:origin]
            times = np.append(times, following(int(times[-1]), self.step, self.future.horizon))
            parts.append(calendar_features(times, self.zone, self.calendar))
        return np.concatenate(parts, 1)


def _last(values: np.ndarray, name: str) -> int:
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        raise UserError(f"{name} has no value: expected at least one")
    return int(there[-1]) + 1


def _joined(panels: Sequence[Panel]) -> Panel:
    offsets = np.cumsum([0, *(len(panel.values) for panel in panels)])
    values = np.concatenate([panel.values for panel in panels])
    times = [panel.times for panel in panels if panel.times is not None]
    names = [panel.names[0] for panel in panels]
    return Panel(names, values, offsets, np.concatenate(times) if times else None, step=panels[0].step)


def files_of(source: object) -> Mapping[str, Plain]:
    """The settings of a source by which new files are read: of its columns."""
    columns = getattr(source, "columns", source)
    make = getattr(columns, "column_settings", None)
    return make() if make is not None else {}
