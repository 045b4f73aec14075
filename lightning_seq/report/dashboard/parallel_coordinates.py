"""The trials of a tuned label in parallel coordinates: a line for each trial over the searched keys and the metric."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from lightning_seq.files import Plain
from lightning_seq.records.tuning import Tuning
from lightning_seq.report.curves import five_figures
from lightning_seq.report.dashboard.chart_style import Spec, channel, chart, colour, either, layer
from lightning_seq.report.dashboard.page import Card, Page

COLUMNS = ("trial", "order", "axis", "value", "place", "result")
"""Of a point of a line: the axis, by position and by name, the value there, its place, and the trial's result."""

BELOW = -0.16
"""Where the line of a trial that diverged ends."""

_LINES = "split(replace(datum.label, regexp('[._]', 'g'), '$&\\n'), '\\n')"
_PARTS = re.compile("[^._]+")
"""A key has a line for each of its parts."""


class Axis(NamedTuple):
    """An upright axis from low to high. flipped: the lower value is on top."""

    name: str
    low: float
    high: float
    log: bool = False
    flipped: bool = False

    def place(self, value: float) -> float:
        """From 0 at the bottom to 1 on top."""
        if self.high <= self.low:
            return 0.5
        low, high, value = map(math.log, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        place = (value - low) / (high - low)
        return 1 - place if self.flipped else place

    def ticks(self) -> list[float]:
        """Both ends and what is half-way between them."""
        if self.high <= self.low:
            return [self.low]
        middle = math.sqrt(self.low) * math.sqrt(self.high) if self.log else (self.low + self.high) / 2
        return [self.low, middle, self.high]


def axes(tunings: Sequence[Tuning]) -> list[Axis]:
    """The searched keys of these labels, then their metric with its better end on top."""
    keys = dict.fromkeys(key for tuning in tunings for point in tuning.points for key in point)
    found = []
    for key in keys:
        drawn = [point[key] for tuning in tunings for point in tuning.points if key in point]
        log = all(key in tuning.logarithmic for tuning in tunings) and min(drawn) > 0
        found.append(Axis(key, min(drawn), max(drawn), log))
    values = [value for tuning in tunings for value in tuning.values if value is not None]
    return [*found, Axis(tunings[0].metric, min(values), max(values), flipped=tunings[0].mode == "min")]


def parallel_coordinates(page: Page, tuning: Tuning, shared: Sequence[Axis]) -> Card:
    """shared: the axes of all labels with this metric, so that their pictures can be compared."""
    rows: list[list[Plain]] = []
    for trial, (point, value) in enumerate(zip(tuning.points, tuning.values, strict=True), 1):
        for index, axis in enumerate(shared[:-1]):
            if axis.name in point:
                number = point[axis.name]
                rows.append([trial, index, index, number, five_figures(axis.place(number)), value])
        end = BELOW if value is None else five_figures(shared[-1].place(value))
        rows.append([trial, len(shared) - 1, len(shared) - 1, value, end, value])
    names = {"axis": [axis.name for axis in shared]}
    title = f"trials of {tuning.label}"
    spec = trials_chart(tuning, shared)
    return page.card(title, spec, "trials", COLUMNS, rows, names, title=title)


def trials_chart(tuning: Tuning, shared: Sequence[Axis]) -> Spec:
    """Trials in colours of their results, from the worst to the best of all labels; the chosen one is thick."""
    names = [axis.name for axis in shared]
    axis: Spec = {"domain": False, "ticks": False, "grid": False, "labelAngle": 0, "labelOverlap": False}
    lines = max(len(_PARTS.findall(name)) for name in names)
    axis |= {"orient": "top", "labelExpr": _LINES, "labelLimit": 120, "labelPadding": 12 + 13 * (lines - 1)}
    x = channel("axis:N", title=None, sort=None, scale={"type": "point", "domain": names, "padding": 0.35}, axis=axis)
    diverged = any(value is None for value in tuning.values)
    y = channel("place:Q", title=None, scale={"domain": [BELOW if diverged else 0, 1], "nice": False}, axis=None)
    ticks: list[Plain] = [
        {"axis": each.name, "place": each.place(value), "text": f"{value:.3g}"}
        for each in shared
        for value in each.ticks()
    ]
    if diverged:
        ticks.append({"axis": names[-1], "place": BELOW, "text": "diverged"})
    low, high = shared[-1].low, shared[-1].high
    worst, best = (high, low) if shared[-1].flipped else (low, high)
    domain = [worst - 0.4 * ((best - worst) or 1.0), best]
    line = {"x": x, "y": y, "detail": channel("trial:N"), "order": channel("order:Q")}
    shown = {"opacity": either("trial === 0 || trial === datum.trial", 0.9, 0.08)}
    chosen = f"datum.trial === {tuning.chosen}"
    width = {"strokeWidth": {"condition": {"test": chosen, "value": 4}, "value": 1.8}}
    result = channel("result:Q", scale={"domain": domain, "range": "heatmap"}, legend=None)
    marks: Spec = {"data": {"values": ticks}}
    text = {"x": x, "y": y, "text": channel("text:N"), "color": colour("ink")}
    layers = [
        layer("rule", {"x": x, "color": colour("line")}, strokeWidth=1) | marks,
        layer("line", line | shown | width | {"color": result}, "datum.result !== null"),
        *([layer("line", line | shown | {"color": colour("muted")}, "datum.result === null", strokeDash=[4, 3])]
          if diverged else []),
        layer("text", text, align="right", dx=-5, fontSize=10) | marks,
        layer("line", line | {"opacity": {"value": 0}}, strokeWidth=12, cursor="pointer"),
    ]  # fmt: skip
    about = f"Trials of {tuning.label}: a line for each over the searched keys and {tuning.metric}"
    return chart(layers, 240, about, "trial", "ink", "muted", "line")
