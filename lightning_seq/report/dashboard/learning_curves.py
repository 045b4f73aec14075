"""Learning curves as a section of the dashboard: each run, and the mean of a label's runs with a band around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.report.curves import CurveRow, curve_rows, logged, metrics_to_draw, points_of_a_run
from lightning_seq.report.dashboard.chart_style import (
    PALETTE,
    Span,
    Spec,
    by_label,
    channel,
    chart,
    colour,
    dashes,
    focused,
    layer,
    single_value_domain,
    ticks,
    value_axis,
)
from lightning_seq.report.dashboard.page import Card, Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary

AXES = {"step": "step", "epoch": "epoch", "seconds": "seconds of training"}
_TOOLTIP_FORMATS = {"step": ",", "epoch": ".2~f", "seconds": ".1f"}


def learning_curves(page: Page, records: list[Record], summary: Summary) -> Markup:
    """The headline on validation and the losses, against steps, epochs or seconds, as the reader chooses."""
    parts = of_groups(
        summary, lambda group: _group_curves(page, [record for record in records if group.holds(record)], group)
    )
    body = Markup() if parts else draw("note", text="No run has recorded a curve yet.")
    return page.section("Learning curves", "curves", parts, body)


def _group_curves(page: Page, records: list[Record], group: Group) -> Markup:
    limit = points_of_a_run(len(records))
    cards: list[Card] = []
    offered: dict[str, None] = {}
    longest = 0
    positive = False
    for name in metrics_to_draw(records, group.headline):
        rows = curve_rows(records, group.labels, name, limit)
        if not rows:
            continue
        length = max(len(logged(record, name)) for record in records)
        longest = max(longest, length)
        positive |= all(row.value > 0 for row in rows)
        spans = {axis: span for axis in AXES if (span := _span([getattr(row, axis) for row in rows]))}
        offered |= dict.fromkeys(spans)
        choice = {axis: _x(axis, span) for axis, span in spans.items()}
        spec = curve_chart(group.labels, name, choice, rows, few=length <= 30 and len(records) <= 60)
        names = {"label": group.labels}
        cards.append(
            page.card(name, spec, "curve", CurveRow._fields, rows, names, title=name, choice=choice, lines=True)
        )
    if not cards:
        return Markup()
    page.choices += len(offered) > 1
    return draw(
        "learning_curves",
        legend=page.legend(group.labels),
        axes=list(offered),
        positive=positive,
        choice=page.choices,
        cards=cards,
        cut=f"Of up to {longest} points of a run, {limit} are drawn." if longest > limit else "",
    )


def _span(values: Sequence[float | None]) -> Span | None:
    """The least and the greatest value; None if any is missing."""
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if len(known) == len(values) else None


def _x(axis: str, span: Span) -> Spec:
    steps = ticks(span) if axis == "epoch" else {"tickCount": 6}
    scale = {"nice": False, "zero": False, "padding": 8, **single_value_domain(span)}
    parts = {"grid": False, "labelFlush": False, "format": ",~f", **steps}
    return channel(f"{axis}:Q", title=AXES[axis], axis=parts, scale=scale)


def curve_chart(
    labels: Sequence[str], metric: str, axes: Mapping[str, Spec], rows: Sequence[CurveRow], few: bool
) -> Spec:
    """One metric: a thin line for each seed, a strong one for the mean, in a band of a standard deviation.

    axes: the x channel for each of the axes, `epoch` among them.
    few:  whether the curves are short enough for their points to be marked (a curve of one point has no line).
    """
    values = [row.value + sign * (row.sd or 0.0) for row in rows for sign in (-1, 1)]
    y = value_axis("value:Q", (min(values), max(values)))
    base = {"x": axes["epoch"], "y": y, "color": by_label(labels)}
    dash, crowded = dashes(labels), len(labels) > PALETTE
    seeds = base | {"detail": channel("seed:N")}
    seed, mean = "datum.seed !== null", "datum.seed === null"
    shown = focused(0.5, 0.06, 0.12 if crowded else 0.5)
    averaged = any(row.seed is None for row in rows)
    thin = seeds | {"opacity": shown} | ({} if averaged else {"strokeDash": dash})
    layers = [layer("line", thin, seed, strokeWidth=1 if averaged else 1.7)]
    if averaged:
        ends = {"y": channel("lower:Q", title=None), "y2": {"field": "upper"}}
        band = layer(
            "area", base | ends | {"opacity": focused(0.16, 0.02, 0.05 if crowded else 0.16)}, mean, line=False
        )
        band["transform"] += [
            {"calculate": f"max(least, datum.value {sign} datum.sd)", "as": end}
            for sign, end in (("-", "lower"), ("+", "upper"))
        ]
        means = base | {"opacity": focused(1, 0.1), "strokeDash": dash}
        width = 1.7 if crowded else 2.6
        strong = layer("line", means, mean, strokeWidth=width, strokeCap="round", strokeJoin="round")
        layers = [band, *layers, strong]
    if few:
        tooltip = [
            channel("label:N"),
            channel("seed:N"),
            *(channel(f"{axis}:Q", format=_TOOLTIP_FORMATS[axis]) for axis in axes),
            channel("value:Q", title=metric, format=".4~f"),
        ]
        shown = focused(0.75, 0.06, 0.2 if crowded else 0.75)
        layers.append(layer("circle", seeds | {"opacity": shown, "tooltip": tooltip}, seed, size=22))
    return chart(
        [*layers, *_names(base)], 220, f"{metric} of each label, one colour per label", "focus", "least", "room", "ink"
    )


def _names(base: Spec) -> list[Spec]:
    """Labels at the ends of their lines, as the page places them (`ends`), each with a thin line to it."""
    ends = {"data": {"name": "ends"}}
    place = {"value": {"expr": "datum.place"}}
    to = base | {"x2": {"value": {"expr": "width + 9"}}, "y2": place, "opacity": focused(0.7, 0.1)}
    text = {"x": {"value": {"expr": "width + 12"}}, "y": place, "text": channel("label:N"), "color": colour("ink")}
    return [
        layer("rule", to, strokeWidth=1, strokeDash=[1, 2]) | ends,
        layer("text", text | {"opacity": focused(1, 0.2)}, align="left", baseline="middle", fontSize=11,
              limit={"expr": "room"}) | ends,
    ]  # fmt: skip
