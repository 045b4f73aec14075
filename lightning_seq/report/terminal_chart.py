"""Learning curves as text for a terminal: the headline on the validation split, a mark for each label."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from lightning_seq.records.record import Record
from lightning_seq.report.curves import curve_rows, metrics_to_draw
from lightning_seq.report.escape import one_line
from lightning_seq.report.formats import decimal
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import Group, Summary

MARKS, PLAIN_MARKS = "●▲■◆○△□◇", "ox*#+@%&"
HEIGHT, WIDEST, NARROWEST = 11, 100, 30

Line = list[tuple[float, float]]


def learning_curves(
    runs: list[tuple[Path, Record]], summary: Summary, width: int = 80, unicode: bool = True
) -> list[str]:
    """A chart for each data set whose runs have recorded curves, with an empty line before each.

    width:   of the terminal in columns.
    unicode: whether it shows more than ASCII.
    """
    lines = []
    for group in summary.groups:
        drawn = _group(group, [record for _, record in runs if group.holds(record)], width, unicode)
        if drawn:
            title = f"{_shown(group.title, unicode)}: " if len(summary.groups) > 1 else ""
            lines += ["", title + drawn[0], *drawn[1:]]
    return lines


def chart(curves: dict[str, Line], width: int, unicode: bool = True, height: int = HEIGHT) -> list[str]:
    """Lines of text: values on the left, the first and the last place below, then a mark for each label.

    curves: by label, places from low to high and the values there.

    Each point has a mark, with dots between the points; of two marks at one place the earlier label's is shown.
    Empty without a point.
    """
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return []
    marks, dot, side, corner, floor = (MARKS, "·", "│", "└", "─") if unicode else (PLAIN_MARKS, ".", "|", "+", "-")
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    ticks = {0: decimal(high), height // 2: decimal((low + high) / 2), height - 1: decimal(low)}
    margin = max(map(len, ticks.values()))
    columns = max(NARROWEST, min(width, WIDEST)) - margin - 2
    cells = [[" "] * columns for _ in range(height)]

    def column(x: float) -> int:
        return round((columns - 1) * (x - first) / (last - first)) if last > first else 0

    def line(y: float) -> int:
        return round((height - 1) * (high - y) / (high - low)) if high > low else height // 2

    for curve in curves.values():
        for (x, y), (next_x, next_y) in pairwise(curve):
            for between in range(column(x) + 1, column(next_x)):
                share = (between - column(x)) / (column(next_x) - column(x))
                cells[line(y + share * (next_y - y))][between] = dot
    for index, curve in reversed(list(enumerate(curves.values()))):
        for x, y in curve:
            cells[line(y)][column(x)] = marks[index % len(marks)]
    body = [f"{ticks.get(place, ''):>{margin}} {side}{''.join(row)}".rstrip() for place, row in enumerate(cells)]
    ends = f"{first:g}", f"{last:g}" if last > first else ""
    below = f"{' ' * (margin + 2)}{ends[0]}{ends[1]:>{columns - len(ends[0])}}".rstrip()
    key = [f"{marks[index % len(marks)]} {_shown(label, unicode)}" for index, label in enumerate(curves)]
    return [*body, f"{' ' * (margin + 1)}{corner}{floor * columns}", below, *_folded(key, columns, margin + 2)]


def _group(group: Group, records: list[Record], width: int, unicode: bool) -> list[str]:
    """Of too many labels, those with the best means are drawn."""
    names = metrics_to_draw(records, group.headline)
    if not names:
        return []
    name = names[0]
    lower = lower_is_better(group.headline or "")
    means = {row.label: row.metric(group.headline).mean for row in group.rows}
    order = sorted(group.labels, key=lambda label: (means[label] is None, (means[label] or 0.0) * (1 if lower else -1)))
    curves: dict[str, Line] = {}
    for label in order:
        drawn = curve_rows(records, [label], name, WIDEST)
        mean = [row for row in drawn if row.seed is None] or [row for row in drawn if row.seed == drawn[0].seed]
        if mean:
            curves[label] = [(row.epoch, row.value) for row in mean]
    kept = dict(list(curves.items())[: len(MARKS)])
    several = any(row.done > 1 for row in group.rows)
    title = f"{name} by epoch{', mean over seeds' if several else ''}"
    more = [f"{len(kept)} of {len(curves)} labels are drawn, the dashboard has all."] if len(kept) < len(curves) else []
    return [_shown(title, unicode), *chart(kept, width, unicode), *more] if kept else []


def _folded(parts: list[str], width: int, margin: int) -> list[str]:
    """Parts side by side, three spaces apart, on as many lines as they need."""
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + 3 + len(part) > width:
            lines.append("")
        lines[-1] += f"   {part}" if lines[-1] else part
    return [" " * margin + line for line in lines]


def _shown(text: str, unicode: bool) -> str:
    """On one line, and in ASCII if the terminal has no Unicode."""
    plain = one_line(text)
    return plain if unicode else plain.encode("ascii", "replace").decode("ascii")
