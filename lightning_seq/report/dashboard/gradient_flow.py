"""How the gradient fades, or grows, on its way back through time, as a section of the dashboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.gradient_flow import Curve, Flow, Layer, read_flow
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.charts import Spec
from lightning_seq.report.dashboard.gradient_flow_means import (
    PARTS,
    Label,
    last_layers,
    main_layers,
    mean_curve,
    mean_memory,
    mean_radius,
    reach,
)
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import grouped, note, section
from lightning_seq.report.dashboard.sentences import along_epochs, focused, label_cell, label_colours, line_chart
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary
from lightning_seq.report.tables import NOTHING

ABOUT = (
    "What is left of the gradient of the last loss T - t steps before, at the state h_t (of an LSTM h_t and c_t "
    "together), as a multiple of that at T: what a step so long ago can learn from. A line that falls vanishes, one "
    "that rises explodes; what is off by more than a factor of 10¹² is cut off. Geometric means over validation "
    "samples that are the same for all, and over seeds. Where a loss reads all steps, as pooling does, this is the "
    "part that goes through the recurrence from the last step."
)
BOUND = (
    "Faint broken lines: no gradient of a simple recurrent network can be above (γ_w γ_g)^(T - t) times that at T, "
    "where γ_w is the largest singular value of U and γ_g the steepest slope of the activation, 1 for tanh and 1/4 for "
    "the logistic (Pascanu, Mikolov & Bengio 2013)."
)
FURTHEST = 1e12
"""From 1, of what a logarithmic scale shows."""
_MOMENTS = ("Before training", "Halfway", "After the last epoch")


def gradient_flow(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """Norms by distance before, in the middle of and after training; how far memories reach; what carries them."""
    done = [run for run in runs if run[1].status == "done"]
    held, wrong = read_artifacts(done, "gradient_flow", read_flow)
    parts = [(group, _group(page, group, [each for each in held if group.holds(each[0])])) for group in summary.groups]
    body = grouped(parts, len(parts) > 1) + "".join(note(text, warn=True) for text in wrong)
    return section("Gradient flow through time", body, ABOUT, "gradient-flow") if body else ""


def _group(page: Page, group: Group, held: list[tuple[Record, Flow]]) -> str:
    if not held:
        return ""
    by_label = [
        (label, [flow for record, flow in held if record.label == label])
        for label in group.labels
        if any(record.label == label and any(layers for _, layers in flow.looks) for record, flow in held)
    ]
    reasons = {f"{record.label}: {reason}." for record, flow in held for reason in flow.reasons}
    without = "".join(note(text) for text in sorted(reasons))
    if not by_label:
        return without
    labels = group.labels
    has_bound = any(layer.bound is not None for _, flows in by_label for layer in main_layers(flows, -1))
    charts = [
        _norms(page, labels, by_label),
        '<div class="pair">'
        + _over_epochs(page, labels, by_label, "memory", "Memory length, in steps", mean_memory)
        + _over_epochs(
            page, labels, by_label, "radius", "Spectral radius of U (of several gates, the largest)", mean_radius
        )
        + "</div>",
        '<div class="pair">' + _shares(page, labels, by_label) + _kept(page, labels, by_label) + "</div>",
    ]
    return (
        f'<p class="lead">{html(reach(by_label))}</p>{page.legend(labels)}{"".join(charts)}'
        f'{note(BOUND) if has_bound else ""}<div style="margin-top:14px">{_table(group, by_label)}'
        f"{_others(page, labels, by_label)}</div>{without}"
    )


def _norms(page: Page, labels: list[str], by_label: Sequence[Label]) -> str:
    """Three moments side by side, on one scale; two, or one, where there were no more looks."""
    looks = max(len(flow.looks) for _, flows in by_label for flow in flows)
    moments = [(0.0, _MOMENTS[0]), (0.5, _MOMENTS[1]), (1.0, _MOMENTS[2])]
    chosen = moments if looks > 2 else [moments[0], moments[2]] if looks == 2 else [moments[2]]
    drawn = []
    for at, title in chosen:
        curves = [(label, layers) for label, flows in by_label if (layers := main_layers(flows, at))]
        drawn.append((title, _norm_rows(labels, curves)))
    domain = _domain([row[2] for _, rows in drawn for row in rows if row[3] == "measured"])
    cards = "".join(_norm_card(page, labels, title, rows, domain) for title, rows in drawn)
    return f'<div class="matrices" style="--least:300px;margin-bottom:16px">{cards}</div>'


def _norm_rows(
    labels: list[str], curves: Sequence[tuple[str, list[Layer]]], of: Callable[[Layer], Curve] = lambda each: each.norm
) -> list[list[Any]]:
    rows: list[list[Any]] = []
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


def _domain(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=1.0), max(values, default=1.0)
    return [max(low / 2, 1 / FURTHEST), min(high * 2, FURTHEST)]


def _decades(domain: list[float]) -> list[float]:
    """Powers of ten within, at most seven."""
    first, last = math.ceil(math.log10(domain[0])), math.floor(math.log10(domain[1]))
    return [10.0**power for power in range(first, last + 1, max(1, -(-(last - first) // 6)))]


def _norm_card(page: Page, labels: list[str], title: str, rows: list[list[Any]], domain: list[float]) -> str:
    table = page.table("flow", ["label", "distance", "norm", "kind"], rows, {"label": labels})
    spec = _by_distance(table, labels, "norm", "distance", f"Norm of the gradient by distance. {title}", domain)
    faint = dict(spec["layer"][0], mark={"type": "line", "clip": True, "strokeDash": [2, 4], "strokeWidth": 1.4})
    faint["transform"] = [{"filter": "datum.kind === 'bound'"}]
    faint["encoding"] = {
        **{name: channel for name, channel in faint["encoding"].items() if name not in ("strokeDash", "tooltip")},
        "opacity": focused(0.7, 0.05, 0.5),
    }
    for layer in spec["layer"]:
        layer["transform"] = [{"filter": "datum.kind === 'measured'"}]
    spec["layer"].insert(0, faint)
    return f'<div class="card"><h4>{html(title)}</h4>{page.chart(spec, table=table)}</div>'


def _by_distance(
    table: str, labels: list[str], field: str, x: str, description: str, domain: list[float] | None
) -> Spec:
    """A line for each label. domain: of a logarithmic scale; None for a share, on a straight one."""
    logarithmic: Spec = {
        "scale": {"type": "log", "domain": domain, "nice": False},
        "axis": {"format": ".0e", "values": _decades(domain)} if domain else {},
    }
    straight: Spec = {"scale": {"nice": True}, "axis": {"format": ".0%", "tickCount": 5}}
    encoding = {
        "x": {
            "field": x,
            "type": "quantitative",
            "title": "steps back from the last, T - t" if x == "distance" else "lag, in steps",
            "axis": {"grid": False, "format": "d", "tickCount": 6},
            "scale": {"nice": False, "padding": 6},
        },
        "y": {"field": field, "type": "quantitative", "title": None, **(logarithmic if domain else straight)},
        "tooltip": [
            {"field": "label", "type": "nominal"},
            {"field": x, "type": "quantitative"},
            {"field": field, "type": "quantitative", "format": ".3~g" if domain else ".1%"},
        ],
        **label_colours(labels),
    }
    without = {name: channel for name, channel in encoding.items() if name not in ("strokeDash", "tooltip")}
    return {
        "data": {"name": table},
        "params": [{"name": "focus", "value": ""}],
        "width": "container",
        "height": 230,
        "description": f"{description}, one colour per label",
        "layer": [
            {
                "mark": {"type": "line", "clip": True, "strokeWidth": 2, "strokeJoin": "round"},
                "encoding": {**encoding, "opacity": focused(0.95, 0.1)},
            },
            {
                "mark": {"type": "circle", "clip": True, "size": 16},
                "encoding": {**without, "tooltip": encoding["tooltip"], "opacity": focused(1, 0.1)},
            },
        ],
    }


def _over_epochs(
    page: Page,
    labels: list[str],
    by_label: Sequence[Label],
    field: str,
    title: str,
    value: Callable[[Sequence[Layer]], tuple[float, str] | None],
) -> str:
    """A mean over the seeds that were looked at in an epoch."""
    rows: list[Plain] = []
    for label, flows in by_label:
        for epoch in sorted({epoch for flow in flows for epoch, _ in flow.looks}):
            at = [Flow((look,), ()) for flow in flows for look in flow.looks if look[0] == epoch]
            found = value(main_layers(at, -1))
            if found is not None:
                rows.append([labels.index(label), epoch, float(f"{found[0]:.4g}"), found[1]])
    if not rows:
        return ""
    table = page.table("flow", ["label", "epoch", field, "said"], rows, {"label": labels})
    spec = line_chart(
        table,
        labels,
        170,
        f"{title}, against epochs",
        {**along_epochs(row[1] for row in rows), "scale": {"nice": False, "padding": 8}},
        {"field": field, "type": "quantitative", "title": None, "axis": {"tickCount": 4}},
        [{"field": "epoch", "type": "quantitative"}, {"field": "said", "type": "nominal", "title": field}],
    )
    return f'<div class="card"><h4>{html(title)}</h4>{page.chart(spec, table=table)}</div>'


def _shares(page: Page, labels: list[str], by_label: Sequence[Label]) -> str:
    rows: list[Plain] = []
    for label, flows in by_label:
        parts = [dict(layer.share) for layer in main_layers(flows, -1) if layer.share]
        rows += [[labels.index(label), lag, round(share, 4)] for lag, share in mean_curve(parts).items()]
    if not rows:
        return ""
    title = "Share of the gradient of U from this lag and shorter ones"
    table = page.table("flow", ["label", "lag", "share"], rows, {"label": labels})
    spec = _by_distance(table, labels, "share", "lag", f"{title}, after the last epoch", None)
    return f'<div class="card"><h4>{title}</h4>{page.chart(spec, table=table)}</div>'


def _kept(page: Page, labels: list[str], by_label: Sequence[Label]) -> str:
    curves = [(label, [layer for layer in main_layers(flows, -1) if layer.kept]) for label, flows in by_label]
    rows = [row[:3] for row in _norm_rows(labels, [each for each in curves if each[1]], lambda layer: layer.kept)]
    if not rows:
        return ""
    title = "Share of the old state that gates keep over a distance"
    table = page.table("flow", ["label", "distance", "kept"], rows, {"label": labels})
    spec = _by_distance(
        table, labels, "kept", "distance", f"{title}, after the last epoch", _domain([row[2] for row in rows])
    )
    return f'<div class="card"><h4>{title}</h4>{page.chart(spec, table=table)}</div>'


def _table(group: Group, by_label: Sequence[Label]) -> str:
    """Means over seeds after the last epoch."""
    last = [(label, main_layers(flows, -1)) for label, flows in by_label]
    last = [(label, layers) for label, layers in last if layers]
    columns: list[tuple[str, Callable[[Layer], float | None]]] = [
        ("norm at T", lambda layer: layer.at_end),
        ("γ_w γ_g", lambda layer: layer.bound),
        ("radius of U", lambda layer: layer.radius),
        ("kept a step", lambda layer: layer.kept_a_step),
        *((title, lambda layer, part=part: layer.sizes.get(part)) for part, title in PARTS.items()),
    ]
    cells = {title: [_average([of(layer) for layer in layers]) for _, layers in last] for title, of in columns}
    shown = [title for title, values in cells.items() if any(value is not None for value in values)]
    head = "".join(f'<th scope="col">{html(title)}</th>' for title in ("memory length", *shown))
    rows = "".join(
        f"<tr>{label_cell(group, label)}<td>{html(memory[1] if (memory := mean_memory(layers)) else NOTHING)}</td>"
        + "".join(f"<td>{_figure(cells[title][index])}</td>" for title in shown)
        + "</tr>"
        for index, (label, layers) in enumerate(last)
    )
    about = (
        "After the last epoch. The parts of a step's Jacobian, and the four terms of ∂cₜ/∂cₜ₋₁ of an LSTM (through "
        "the gates by way of hₜ₋₁), by their spectral norms: how much a step can stretch a gradient at most."
    )
    return (
        '<details><summary>What a step does to a gradient</summary><div><div class="scroll">'
        f'<table class="compare"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{note(about)}</div></details>"
    )


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _figure(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}" if 0.01 <= abs(value) < 1000 or value == 0 else f"{value:.0e}"


def _others(page: Page, labels: list[str], by_label: Sequence[Label]) -> str:
    """Layers and directions beside the one that is shown above, and losses with all that they read directly."""
    shown = {layer.place for _, flows in by_label for layer in main_layers(flows, -1)}
    places = sorted({layer.place for _, flows in by_label for flow in flows for layer in flow.looks[-1][1]})
    cards = []
    for place in places:
        curves = [(label, layers) for label, flows in by_label if (layers := last_layers(flows, place))]
        if place not in shown or any(
            place not in {each.place for each in main_layers(flows, -1)} for _, flows in by_label
        ):
            cards.append((place, _norm_rows(labels, curves)))
    whole = [(label, [layer for layer in main_layers(flows, -1) if layer.direct]) for label, flows in by_label]
    rows = _norm_rows(labels, [each for each in whole if each[1]], lambda layer: layer.direct)
    if rows:
        cards.append(("With all that the loss reads directly", [row for row in rows if row[3] == "measured"]))
    cards = [(title, rows) for title, rows in cards if rows]
    if not cards:
        return ""
    drawn = "".join(
        _norm_card(page, labels, title, rows, _domain([row[2] for row in rows if row[3] == "measured"]))
        for title, rows in cards
    )
    return (
        "<details><summary>Other layers, directions and ways, after the last epoch</summary><div>"
        f'<div class="matrices" style="--least:300px;padding-top:10px">{drawn}</div></div></details>'
    )
