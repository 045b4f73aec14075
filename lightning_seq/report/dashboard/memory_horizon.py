"""Memory horizon: the longest distance over which each architecture solves a problem, as success over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from markupsafe import Markup

from lightning_seq.identity import SETTINGS, STRUCTURE
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record
from lightning_seq.report.architectures import by_architecture, differing_keys, flat_settings
from lightning_seq.report.dashboard.chart_style import Spec, channel, colour, layer, line_chart
from lightning_seq.report.dashboard.configurations import addresses
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.sections import Addresses
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.test_sets import distance, setting_and_metric

SOLVED = 0.9
"""A run solves a distance if at least this share of the test split is right."""


@dataclass(frozen=True)
class DistanceResult:
    """An architecture at one distance.

    values: by seed, of the runs that ended: the share that is right, None where a run failed or gave no number.
    labels: of these runs, by seed.
    """

    distance: int
    values: dict[int, float | None]
    labels: dict[int, str] = field(default_factory=dict)

    @property
    def solved(self) -> int:
        """In how many seeds."""
        return sum(value is not None and value >= SOLVED for value in self.values.values())

    @property
    def holds(self) -> bool:
        """Whether most of the seeds solve it."""
        return 2 * self.solved > len(self.values)

    @property
    def mean(self) -> float | None:
        known = [value for value in self.values.values() if value is not None]
        return fmean(known) if known else None


def memory_horizon(page: Page, runs: Sequence[tuple[Path, Record]], summary: Summary) -> Markup:
    """Success against distance, and the longest distance that each architecture solves; empty without distances."""
    entries = addresses(runs)

    def part(group: Group) -> Markup:
        return _horizon(page, group, [record for _, record in runs if group.holds(record)], entries)

    return page.section("Memory horizon", "horizon", of_groups(summary, part), solved=SOLVED)


def horizons(records: Sequence[Record]) -> dict[str, list[DistanceResult]]:
    """The results of each architecture, by its name, the shortest distance first; nothing for runs at one distance."""
    if len({distance(record) for record in records} - {None}) < 2:
        return {}
    horizons = {}
    for name, members in architectures(records).items():
        results: dict[int, DistanceResult] = {}
        for record in members:
            steps = distance(record)
            if steps is not None and record.status in ("done", "failed"):
                result = results.setdefault(steps, DistanceResult(steps, {}))
                value = number(record.metrics.get(setting_and_metric(record)[1])) if record.status == "done" else None
                result.values[record.seed], result.labels[record.seed] = value, record.label
        if results:
            horizons[name] = [results[steps] for steps in sorted(results)]
    return horizons


def longest(results: Sequence[DistanceResult]) -> int | None:
    """The longest distance up to which every tried distance is solved; None if the shortest is not."""
    reached = None
    for result in sorted(results, key=lambda result: result.distance):
        if not result.holds:
            break
        reached = result.distance
    return reached


def architectures(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Runs by architecture, at all distances; names have the settings in which architectures of one model differ."""
    groups = by_architecture([record for record in records if distance(record) is not None], distance)
    named: dict[str, list[Record]] = {}
    for members in groups:
        namesakes = [other[0] for other in groups if other[0].model == members[0].model]
        name = members[0].model + _mark(members[0], namesakes)
        named[name if name not in named else f"{name} ({members[0].label})"] = members
    return named


def _mark(record: Record, namesakes: Sequence[Record]) -> str:
    """` (gru, hidden_size 64)`: the settings in which a run differs from others of its model."""
    cells = len({other.cell for other in namesakes}) > 1
    keys = differing_keys(namesakes, STRUCTURE) or ([] if cells else differing_keys(namesakes, SETTINGS))
    flat = flat_settings(record, SETTINGS)
    parts = [str(record.cell)] if cells else []
    parts += [
        f"{key.rpartition('.')[2]} {flat[key]}"
        for key in keys
        if key in flat and not key.endswith("_target_") and not (cells and key.startswith("cell."))
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _horizon(page: Page, group: Group, records: Sequence[Record], entries: Addresses) -> Markup:
    architectures = horizons(records)
    if not architectures:
        return Markup()
    names, metric = (
        list(architectures),
        next(setting_and_metric(record)[1] for record in records if distance(record) is not None),
    )
    distances = sorted({result.distance for results in architectures.values() for result in results})
    rows = [
        [index, seed, result.distance, value]
        for index, results in enumerate(architectures.values())
        for result in results
        for seed, value in [*result.values.items(), (None, result.mean)]
        if value is not None
    ]
    page.labels += [name for name in names if name not in page.labels]  # a legend refers to them by their positions
    card = None
    if rows:
        title, spec = f"{metric} against distance", horizon_chart(names, distances, metric)
        columns = ["label", "seed", "distance", "value"]
        card = page.card(title, spec, "horizon", columns, rows, {"label": names}, title=title)
    return draw(
        "memory_horizon",
        sentence=_sentence(architectures, distances[-1]),
        legend=page.legend(names),
        card=card,
        distances=distances,
        rows=[
            (longest(results), {result.distance: result for result in results}) for results in architectures.values()
        ],
        address=lambda label, seed: entries[group.task, group.data, label, seed],
        names=names,
    )


def _sentence(architectures: dict[str, list[DistanceResult]], last: int) -> str:
    """`Longest distance solved: lstm, gru 200 (the longest tried); rnn 20; irnn none.`"""
    by_distance: dict[int, list[str]] = {}
    for name, results in architectures.items():
        by_distance.setdefault(longest(results) or 0, []).append(name)
    parts = []
    for steps, names in sorted(by_distance.items(), reverse=True):
        size = "none" if not steps else f"{steps} (the longest tried)" if steps == last else str(steps)
        parts.append(f"{', '.join(names)} {size}")
    return f"Longest distance solved: {'; '.join(parts)}."


def horizon_chart(labels: list[str], distances: Sequence[int], metric: str) -> Spec:
    """A line for each architecture, its mean over seeds, the seeds as dots, and a rule where a distance is solved."""
    scale = {"type": "log", "nice": False, "padding": 16}
    axis = {"grid": False, "values": list(distances), "format": "d"}
    return line_chart(
        labels,
        channel("distance:Q", title="distance in steps", scale=scale, axis=axis),
        channel("value:Q", title=None, scale={"domain": [0, 1]}, axis={"tickCount": 5}),
        [channel("distance:Q"), channel("seed:N"), channel("value:Q", title=metric, format=".3f")],
        f"{metric} against distance",
        height=260,
        size=44,
        dots=0.75,
        filters=("datum.seed === null", "datum.seed !== null"),
        below=[layer("rule", {"y": {"datum": SOLVED}, "color": colour("muted")}, strokeDash=[2, 4])],
        colours=("muted",),
        noun="architecture",
    )
