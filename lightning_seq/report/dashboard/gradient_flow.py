"""The norm of the gradient at each distance back in time, as a section of the dashboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.gradient_flow import Curve, Flow, Layer, read_flow
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.chart_style import Spec, by_label, channel, epochs_axis, focused, layer, line_chart
from lightning_seq.report.dashboard.page import Card, Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.formats import NOTHING
from lightning_seq.report.summary import Group, Summary

FURTHEST = 1e12
"""The greatest factor from 1 that a logarithmic scale shows."""
_MOMENTS = {0.0: "Before training", 0.5: "Halfway", 1.0: "After the last epoch"}
"""By the share of the looks."""


PARTS = {
    "step": "∂sₜ/∂sₜ₋₁",
    "hh": "∂hₜ/∂hₜ₋₁",
    "hc": "∂hₜ/∂cₜ₋₁",
    "ch": "∂cₜ/∂hₜ₋₁",
    "cc": "∂cₜ/∂cₜ₋₁",
    "through kept": "kept: diag(fₜ)",
    "through f": "through f",
    "through i": "through i",
    "through g": "through g",
}
"""Symbols of the parts of a step's Jacobian, by their keys in `Layer.sizes`."""


LabelFlows = tuple[str, list[Flow]]
"""A label and the gradient flow of its seeds."""


def gradient_flow(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """Norms by distance before, in the middle of and after training; memory lengths; the parts of a step."""
    done = [run for run in runs if run[1].status == "done"]
    return page.of_artifacts("Gradient flow through time", "gradient_flow", read_flow, done, summary, _group)


def _group(page: Page, group: Group, flows: list[tuple[Record, Flow]]) -> Markup:
    labels = group.labels
    reasons = sorted({f"{record.label}: {reason}." for record, flow in flows for reason in flow.reasons})
    seen = {record.label for record, flow in flows if any(layers for _, layers in flow.looks)}
    by_label = [(label, [flow for record, flow in flows if record.label == label]) for label in labels if label in seen]
    if not by_label:
        return draw("gradient_flow", by_label=by_label, reasons=reasons)
    norms = _norms(page, labels, by_label)
    lengths = _over_epochs(page, labels, by_label, "memory", "Memory length, in steps", mean_memory)
    title = "Spectral radius of U (of several gates, the largest)"
    radii = _over_epochs(page, labels, by_label, "radius", title, mean_radius)
    titles, rows = _table(by_label)
    return draw(
        "gradient_flow",
        by_label=by_label,
        labels=labels,
        reach=reach(by_label),
        legend=page.legend(labels),
        norms=norms,
        pairs=[[*lengths, *radii], [*_shares(page, labels, by_label), *_kept(page, labels, by_label)]],
        has_bound=any(layer.bound is not None for _, layers in _main(by_label) for layer in layers),
        titles=titles,
        rows=rows,
        others=_others(page, labels, by_label),
        reasons=reasons,
    )


def _norms(page: Page, labels: list[str], by_label: Sequence[LabelFlows]) -> list[Card]:
    """At most three moments of the training side by side, on one scale."""
    looks = max(len(flow.looks) for _, flows in by_label for flow in flows)
    chosen = _MOMENTS if looks > 2 else {at: _MOMENTS[at] for at in ((0.0, 1.0) if looks == 2 else (1.0,))}
    drawn = {title: _norm_rows(labels, _main(by_label, at)) for at, title in chosen.items()}
    domain = _domain([row for rows in drawn.values() for row in rows])
    return [_norm_card(page, labels, title, rows, domain) for title, rows in drawn.items()]


def _main(by_label: Sequence[LabelFlows], at: float = -1) -> list[tuple[str, list[Layer]]]:
    """The main layers of each label that has any."""
    return [(label, layers) for label, flows in by_label if (layers := main_layers(flows, at))]


def _norm_rows(
    labels: list[str],
    curves: Sequence[tuple[str, list[Layer]]],
    of: Callable[[Layer], Curve] = lambda layer: layer.norm,
) -> list[list[Plain]]:
    rows: list[list[Plain]] = []
    for label, layers in curves:
        place, mean = labels.index(label), mean_curve([of(layer) for layer in layers])
        rows += [[place, distance, _power(value), "measured"] for distance, value in mean.items()]
        limits = [layer.bound for layer in layers if layer.bound is not None and layer.bound > 0]
        if len(limits) == len(layers) and 0 in mean:
            limit = fmean(limits)
            rows += [[place, distance, _power(mean[0]) * limit**distance, "bound"] for distance in mean]
    return [row for row in rows if 1e-300 < row[2] < 1e300]


def _power(log: float) -> float:
    return float(f"{10**log:.4g}")


def _domain(rows: Sequence[list[Plain]]) -> list[float]:
    """Of a logarithmic scale for the values that were measured."""
    values = [row[2] for row in rows if "bound" not in row]
    low, high = min(values, default=1.0), max(values, default=1.0)
    return [max(low / 2, 1 / FURTHEST), min(high * 2, FURTHEST)]


def _decades(domain: list[float]) -> list[float]:
    """Powers of ten within, at most seven."""
    first, last = math.ceil(math.log10(domain[0])), math.floor(math.log10(domain[1]))
    return [10.0**power for power in range(first, last + 1, max(1, -(-(last - first) // 6)))]


def _norm_card(page: Page, labels: list[str], title: str, rows: list[list[Plain]], domain: list[float]) -> Card:
    about = f"Norm of the gradient by distance. {title}"
    spec = _by_distance(labels, "norm", "distance", about, domain, bounded=True)
    return page.card(title, spec, "flow", ["label", "distance", "norm", "kind"], rows, {"label": labels})


def _cards(
    page: Page, labels: list[str], title: str, columns: Sequence[str], rows: list[list[Plain]], spec: Spec
) -> list[Card]:
    """A card; none without rows."""
    return [page.card(title, spec, "flow", ["label", *columns], rows, {"label": labels})] if rows else []


def _by_distance(
    labels: list[str], field: str, x: str, about: str, domain: list[float] | None, bounded: bool = False
) -> Spec:
    """A line for each label.

    domain:  of a logarithmic scale; None for a share, on a straight one.
    bounded: whether rows have a `kind`: `measured`, or `bound` for a faint line.
    """
    titles = {"distance": "steps back from the last, T - t", "lag": "lag, in steps"}
    x_axis, x_scale = {"grid": False, "format": "d", "tickCount": 6}, {"nice": False, "padding": 6}
    across = channel(f"{x}:Q", title=titles[x], axis=x_axis, scale=x_scale)
    if domain:
        scale: Spec = {"type": "log", "domain": domain, "nice": False}
        axis: Spec = {"format": ".0e", "values": _decades(domain)}
    else:
        scale, axis = {"nice": True}, {"format": ".0%", "tickCount": 5}
    up = channel(f"{field}:Q", title=None, scale=scale, axis=axis)
    faint = {"x": across, "y": up, "color": by_label(labels), "opacity": focused(0.7, 0.05, 0.5)}
    bound = layer("line", faint, "datum.kind === 'bound'", clip=True, strokeDash=[2, 4], strokeWidth=1.4)
    measured = "datum.kind === 'measured'"
    return line_chart(
        labels,
        across,
        up,
        [channel(f"{x}:Q"), channel(f"{field}:Q", format=".3~g" if domain else ".1%")],
        about,
        height=230,
        size=16,
        below=[bound] if bounded else [],
        filters=(measured, measured) if bounded else None,
        clip=True,
    )


def _over_epochs(
    page: Page,
    labels: list[str],
    by_label: Sequence[LabelFlows],
    field: str,
    title: str,
    value: Callable[[Sequence[Layer]], tuple[float, str] | None],
) -> list[Card]:
    """A mean over the seeds measured in an epoch; no card without a value."""
    rows: list[list[Plain]] = []
    for label, flows in by_label:
        for epoch in sorted({epoch for flow in flows for epoch, _ in flow.looks}):
            at = [Flow((look,), ()) for flow in flows for look in flow.looks if look[0] == epoch]
            mean = value(main_layers(at, -1))
            if mean is not None:
                rows.append([labels.index(label), epoch, float(f"{mean[0]:.4g}"), mean[1]])
    x = epochs_axis((row[1] for row in rows), scale={"nice": False, "padding": 8})
    y = channel(f"{field}:Q", title=None, axis={"tickCount": 4})
    tooltip = [channel("epoch:Q"), channel("text:N", title=field)]
    spec = line_chart(labels, x, y, tooltip, f"{title}, against epochs", height=170)
    return _cards(page, labels, title, ["epoch", field, "text"], rows, spec)


def _shares(page: Page, labels: list[str], by_label: Sequence[LabelFlows]) -> list[Card]:
    rows: list[list[Plain]] = []
    for label, layers in _main(by_label):
        mean = mean_curve([dict(layer.share) for layer in layers if layer.share])
        rows += [[labels.index(label), lag, round(share, 4)] for lag, share in mean.items()]
    title = "Share of the gradient of U from this lag and shorter ones"
    spec = _by_distance(labels, "share", "lag", f"{title}, after the last epoch", None)
    return _cards(page, labels, title, ["lag", "share"], rows, spec)


def _kept(page: Page, labels: list[str], by_label: Sequence[LabelFlows]) -> list[Card]:
    curves = [(label, [layer for layer in layers if layer.kept]) for label, layers in _main(by_label)]
    rows = [row[:3] for row in _norm_rows(labels, curves, lambda layer: layer.kept)]
    title = "Share of the old state that gates keep over a distance"
    spec = _by_distance(labels, "kept", "distance", f"{title}, after the last epoch", _domain(rows))
    return _cards(page, labels, title, ["distance", "kept"], rows, spec)


def _table(by_label: Sequence[LabelFlows]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Means over seeds after the last epoch: the headings with a value for any label, and the cells by label."""
    last = _main(by_label)
    columns: dict[str, Callable[[Layer], float | None]] = {
        "norm at T": lambda layer: layer.at_end,
        "γ_w γ_g": lambda layer: layer.bound,
        "radius of U": lambda layer: layer.radius,
        "kept a step": lambda layer: layer.kept_a_step,
        **{title: partial(_size, part) for part, title in PARTS.items()},
    }
    means = {title: [_average([of(layer) for layer in layers]) for _, layers in last] for title, of in columns.items()}
    known = {title: values for title, values in means.items() if any(value is not None for value in values)}
    rows = []
    for place, (label, layers) in enumerate(last):
        memory = mean_memory(layers)
        rows.append((label, [memory[1] if memory else NOTHING, *(_figure(values[place]) for values in known.values())]))
    return ["memory length", *known], rows


def _size(part: str, layer: Layer) -> float | None:
    return layer.sizes.get(part)


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _figure(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}" if 0.01 <= abs(value) < 1000 or value == 0 else f"{value:.0e}"


def _others(page: Page, labels: list[str], by_label: Sequence[LabelFlows]) -> list[Card]:
    """Layers and directions other than those shown above, and losses with all that they read directly."""
    shown = [{layer.place for layer in layers} for _, layers in _main(by_label)]
    places = sorted({layer.place for _, flows in by_label for flow in flows for layer in flow.looks[-1][1]})
    drawn = {}
    for place in places:
        if not all(place in mine for mine in shown):
            drawn[place] = _norm_rows(labels, [(label, last_layers(flows, place)) for label, flows in by_label])
    whole = [(label, [layer for layer in layers if layer.direct]) for label, layers in _main(by_label)]
    rows = _norm_rows(labels, whole, lambda layer: layer.direct)
    drawn["With the steps that the loss reads directly"] = [row for row in rows if row[3] == "measured"]
    return [_norm_card(page, labels, title, rows, _domain(rows)) for title, rows in drawn.items() if rows]


def main_layers(flows: Sequence[Flow], at: float) -> list[Layer]:
    """Of each seed the lowest layer that reads forward, at a share of its looks (-1: the last)."""
    layers = []
    for flow in flows:
        look = flow.looks[-1 if at == -1 else round(at * (len(flow.looks) - 1))][1]
        if look:
            layers.append(min(look, key=lambda layer: ("forward" not in layer.place, look.index(layer))))
    return layers


def last_layers(flows: Sequence[Flow], place: str) -> list[Layer]:
    """Of each seed the layer at a place, at its last look."""
    return [layer for flow in flows for layer in flow.looks[-1][1] if layer.place == place]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """At each distance that all have."""
    shared = set(curves[0]).intersection(*curves[1:]) if curves else set()
    return {distance: fmean(curve[distance] for curve in curves) for distance in sorted(shared)}


def mean_memory(layers: Sequence[Layer]) -> tuple[float, str] | None:
    """The mean over seeds, as a number and as text; a memory longer than a sample counts as long as the sample."""
    values = [layer.longest if layer.memory_length is None else layer.memory_length for layer in layers]
    if not values:
        return None
    open_end = any(layer.memory_length is None for layer in layers)
    return fmean(values), f"{'at least ' if open_end else ''}{_short(fmean(values))}"


def mean_radius(layers: Sequence[Layer]) -> tuple[float, str] | None:
    """The mean over seeds of the spectral radius, as a number and as text."""
    values = [layer.radius for layer in layers if layer.radius is not None]
    return (fmean(values), f"{fmean(values):.3f}") if values else None


def reach(by_label: Sequence[LabelFlows]) -> str:
    """How far the memory of each label reaches, as a sentence."""
    parts = []
    for label, flows in by_label:
        layers = main_layers(flows, -1)
        lengths = [layer.memory_length for layer in layers if layer.memory_length is not None]
        longest = max(layer.longest for layer in layers)
        if not lengths:
            parts.append(f"{label} not within {longest}")
        elif len(lengths) < len(layers):
            parts.append(f"{label} {_short(fmean(lengths))} in {len(lengths)} of {len(layers)} seeds")
        else:
            parts.append(f"{label} {_short(fmean(lengths))}")
    return f"Steps after which the gradient has fallen to a hundredth, after the last epoch: {', '.join(parts)}."


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
