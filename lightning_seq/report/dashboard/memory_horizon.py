"""Memory horizon: over how long a distance each architecture still solves a problem, as success over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from lightning_seq.identity import shown, value_at
from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.charts import Spec, bare
from lightning_seq.report.dashboard.configurations import addresses
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import Addresses, grouped, named, note, section
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.tables import NOTHING, decimal

PROBLEMS = {
    "Adding": ("length", "test/success"),
    "CopyMemory": ("distance", "test/accuracy"),
    "Agreement": ("distance", "test/accuracy"),
}
"""By the class of the source: the setting that is the distance, and the metric of the share that is right."""

SOLVED = 0.9
"""A run solves a distance if at least this share of the test split is right."""

_STRUCTURE = ("model", "cell", "attention", "init")
_SETTINGS = (*_STRUCTURE, "task", "optimizer", "embedding", "word2vec", "data", "trainer")


@dataclass(frozen=True)
class Place:
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


def distance(record: Record) -> int | None:
    """How far back the run's problem wants to be remembered; None for data that are no memory problem."""
    found = value_at(record.config, f"data.{setting_and_metric(record)[0]}")
    return found if isinstance(found, int) else None


def setting_and_metric(record: Record) -> tuple[str, str]:
    """The entry of `PROBLEMS` for the data of a run; empty for data that are no memory problem."""
    source = str(value_at(record.config, "data.source._target_"))
    return PROBLEMS.get(source.rpartition(".")[2], ("", ""))


def horizon(page: Page, runs: Sequence[tuple[Path, Record]], summary: Summary) -> str:
    """Success against distance, and the longest distance that each architecture solves; empty without distances."""
    found = addresses(list(runs))
    parts = [
        (group, _horizon(page, group, [record for _, record in runs if group.holds(record)], found))
        for group in summary.groups
    ]
    body = grouped(parts, len(parts) > 1)
    about = (
        f"A run solves a distance if at least {100 * SOLVED:.0f} % of the test split is right, an architecture if most "
        "of its seeds do. A run that failed has not solved it."
    )
    return section("Memory horizon", body, about, "horizon") if body else ""


def horizons(records: Sequence[Record]) -> dict[str, list[Place]]:
    """By the name of an architecture its places, the nearest first; of runs at a single distance none."""
    if len({distance(record) for record in records} - {None}) < 2:
        return {}
    found = {}
    for name, members in architectures(records).items():
        places: dict[int, Place] = {}
        for record in members:
            far = distance(record)
            if far is not None and record.status in ("done", "failed"):
                place = places.setdefault(far, Place(far, {}))
                place.values[record.seed], place.labels[record.seed] = _share(record), record.label
        if places:
            found[name] = [places[far] for far in sorted(places)]
    return found


def longest(places: Sequence[Place]) -> int | None:
    """The longest distance that is solved, every shorter one that was tried being solved too; None for none."""
    reached = None
    for place in sorted(places, key=lambda place: place.distance):
        if not place.holds:
            break
        reached = place.distance
    return reached


def architectures(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Runs by architecture, whatever their distance, under a name that says in what it differs from its namesakes.

    An architecture is a model with its cell, scorer and initialisation as configured. What may follow the distance, as
    a learning rate that was tuned for each does not set two apart, unless there are several of one at one distance.
    """
    by_structure: dict[str, list[Record]] = {}
    for record in records:
        if distance(record) is not None:
            key = repr((record.model, record.cell, _flat(record, _STRUCTURE)))
            by_structure.setdefault(key, []).append(record)
    groups = [part for members in by_structure.values() for part in _apart(members)]
    found: dict[str, list[Record]] = {}
    for members in groups:
        namesakes = [other[0] for other in groups if other[0].model == members[0].model]
        name = members[0].model + _mark(members[0], namesakes)
        found[name if name not in found else f"{name} ({members[0].label})"] = members
    return found


def _apart(members: Sequence[Record]) -> list[list[Record]]:
    """Runs of one structure, parted by what sets labels at one distance apart.

    Where that is nothing, they are other seeds of one architecture; by their labels where a seed comes twice.
    """
    keys: set[str] = set()
    for far in {distance(record) for record in members}:
        labels = {record.label: record for record in members if distance(record) == far}
        keys |= set(_differing(list(labels.values()), _SETTINGS))
    twice = len({(distance(record), record.seed) for record in members}) < len(members)
    found: dict[Any, list[Record]] = {}
    for record in members:
        flat = _flat(record, _SETTINGS)
        key = repr([flat.get(key) for key in sorted(keys)]) if keys else record.label if twice else ""
        found.setdefault(key, []).append(record)
    return list(found.values())


def _mark(record: Record, namesakes: Sequence[Record]) -> str:
    """` (gru, hidden_size 64)`: in what a run differs from others of its model."""
    cells = len({other.cell for other in namesakes}) > 1
    keys = _differing(namesakes, _STRUCTURE) or ([] if cells else _differing(namesakes, _SETTINGS))
    flat = _flat(record, _SETTINGS)
    parts = [str(record.cell)] if cells else []
    parts += [
        f"{key.rpartition('.')[2]} {flat[key]}"
        for key in keys
        if key in flat and not key.endswith("_target_") and not (cells and key.startswith("cell."))
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _differing(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """Keys of these groups in which configurations differ, the distance left out."""
    flats = [_flat(record, names) for record in records]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({repr(flat.get(key)) for flat in flats}) > 1]


def _flat(record: Record, names: Sequence[str]) -> dict[str, Any]:
    """Settings with dots in their names, but for the distance."""
    far = f"data.{setting_and_metric(record)[0]}"
    leaves = (leaf for name in names for leaf in _leaves(record.config.get(name), name))
    return {shown(key): value for key, value in leaves if shown(key) != far}


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}")
    else:
        yield key, value


def _share(record: Record) -> float | None:
    return number(record.metrics.get(_metric(record))) if record.status == "done" else None


def _metric(record: Record) -> str:
    return setting_and_metric(record)[1]


def _horizon(page: Page, group: Group, records: Sequence[Record], runs: Addresses) -> str:
    found = horizons(records)
    if not found:
        return ""
    names, metric = list(found), next(_metric(record) for record in records if distance(record) is not None)
    far = sorted({place.distance for places in found.values() for place in places})
    rows = [
        [index, seed, place.distance, value]
        for index, places in enumerate(found.values())
        for place in places
        for seed, value in [*place.values.items(), (None, place.mean)]
        if value is not None
    ]
    page.labels += [name for name in names if name not in page.labels]  # a legend takes what stands there
    chart = ""
    if rows:
        table = page.table("horizon", ["label", "seed", "distance", "value"], rows, {"label": names})
        title = f"{metric} against distance"
        drawn = page.chart(horizon_chart(table, names, far, metric), title=title, table=table)
        chart = f'{page.legend(names)}<div class="card"><h4>{html(title)}</h4>{drawn}</div>'
    return f"{note(_said(found, far[-1]))}{chart}{_table(found, far, group, runs)}"


def _said(found: dict[str, list[Place]], last: int) -> str:
    """`Longest distance solved: lstm, gru 200 (the longest tried); rnn 20; irnn none.`"""
    reached: dict[int, list[str]] = {}
    for name, places in found.items():
        reached.setdefault(longest(places) or 0, []).append(name)
    parts = []
    for far, names in sorted(reached.items(), reverse=True):
        size = "none" if not far else f"{far} (the longest tried)" if far == last else str(far)
        parts.append(f"{', '.join(names)} {size}")
    return f"Longest distance solved: {'; '.join(parts)}."


def _table(found: dict[str, list[Place]], far: Sequence[int], group: Group, runs: Addresses) -> str:
    head = '<th class="left" scope="col">architecture</th><th scope="col">longest solved</th>'
    head += "".join(f'<th scope="col">{place}</th>' for place in far)
    rows = []
    for index, (name, places) in enumerate(found.items()):
        at = {place.distance: place for place in places}
        reached = longest(places)
        cells = f"<td>{NOTHING if reached is None else reached}</td>"
        cells += "".join(_cell(at[place], group, runs) if place in at else f"<td>{NOTHING}</td>" for place in far)
        rows.append(f'<tr><th class="left" scope="row">{named(index, name)}</th>{cells}</tr>')
    caption = note("Seeds that solve each distance, of all that ended, and below the share that each gets right.")
    return (
        f'{caption}<div class="scroll"><table class="horizon"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(place: Place, group: Group, runs: Addresses) -> str:
    said = f"{place.solved} of {len(place.values)}"
    said = f"<b>{said}</b>" if place.holds else said
    links = ", ".join(
        f'<a href="#{runs[group.task, group.data, place.labels[seed], seed]}" title="seed {seed}">{decimal(value)}</a>'
        for seed, value in sorted(place.values.items())
    )
    return f'<td>{said}<small class="seeds">{links}</small></td>'


def horizon_chart(data: str, labels: list[str], far: Sequence[int], metric: str) -> Spec:
    """A line for each architecture, its mean over seeds, the seeds as dots, and a rule where a distance is solved."""
    import altair as alt

    focus = "focus === '' || focus === datum.label"
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=alt.X(
            "distance:Q",
            title="distance in steps",
            scale=alt.Scale(type="log", nice=False, padding=16),
            axis=alt.Axis(grid=False, values=list(far), format="d"),
        ),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5)),
        color=alt.Color("label:N", scale=alt.Scale(domain=labels), legend=None),
    )
    dashes = [[1, 0] if index < 8 else [6, 3] for index in range(len(labels))]
    lines = (
        base.transform_filter("datum.seed === null")
        .mark_line(strokeWidth=2.4, strokeJoin="round")
        .encode(
            strokeDash=alt.StrokeDash("label:N", legend=None, scale=alt.Scale(domain=labels, range=dashes)),
            opacity=alt.condition(focus, alt.value(1), alt.value(0.1)),
        )
    )
    dots = (
        base.transform_filter("datum.seed !== null")
        .mark_circle(size=44)
        .encode(
            opacity=alt.condition(focus, alt.value(0.75), alt.value(0.06)),
            tooltip=[
                alt.Tooltip("label:N", title="architecture"),
                alt.Tooltip("distance:Q"),
                alt.Tooltip("seed:N"),
                alt.Tooltip("value:Q", title=metric, format=".3f"),
            ],
        )
    )
    rule = alt.Chart(alt.NamedData(name=data)).mark_rule(strokeDash=[2, 4])
    rule = rule.encode(y=alt.datum(SOLVED), color=alt.value(alt.expr("muted")))
    chart = alt.layer(rule, lines, dots).properties(
        width="container", height=260, description=f"{metric} against distance, one colour per architecture"
    )
    names = {"focus": "", "muted": "#888"}
    return bare(chart.add_params(*(alt.param(name=name, value=value) for name, value in names.items())))
