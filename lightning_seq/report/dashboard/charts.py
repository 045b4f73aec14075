"""Vega-Lite charts through altair. Data and colours come in the page: a chart names its data set and nothing more."""

from __future__ import annotations

import math
from typing import Any

NUMBERED = 14
"""How many classes a confusion matrix may have for numbers to be written into it."""

Spec = dict[str, Any]
Span = tuple[float, float]

PALETTE = 8
"""How many colours the page's style has; labels beyond them repeat the colours with a broken line."""

_SIDES = (("right", "left", 7, 0), ("left", "right", -7, 0), ("above", "center", 0, -12), ("below", "center", 0, 12))
"""Where a word's name may stand: side of its place, alignment, shift in pixels."""

_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
"""Of points, in place of the broken lines."""

_FOCUS = "focus === '' || focus === datum.label"


def curve_chart(
    data: str, labels: list[str], metric: str, axes: dict[str, tuple[Span, str]], values: Span, means: bool, few: bool
) -> tuple[Spec, dict[str, Spec]]:
    """One metric: a thin line for each seed, a strong one for the mean, in a band of a standard deviation.

    axes:   what it may be drawn against, with the least and the greatest value there and a title; `epoch` among them.
    values: the least and the greatest, bands included.
    means:  whether any label has a mean.
    few:    whether the curves are short enough for their points to be marked (a curve of one point has no line).

    Returns the chart against epochs, and for each of the axes the encoding that puts it in their place.
    """
    import altair as alt

    colour = alt.Color("label:N", scale=alt.Scale(domain=labels), legend=None)
    dash = alt.StrokeDash("label:N", legend=None, scale=alt.Scale(domain=labels, range=_dashes(len(labels))))
    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("seed:N"),
        *([alt.Tooltip("step:Q", format=",")] if "step" in axes else []),
        alt.Tooltip("epoch:Q", format=".2~f"),
        alt.Tooltip("seconds:Q", format=".1f"),
        alt.Tooltip("value:Q", title=metric, format=".4~f"),
    ]
    choice = {
        axis: alt.X(
            f"{axis}:Q",
            title=title,
            axis=alt.Axis(grid=False, labelFlush=False, format=",~f", **_ticks(axis, span)),
            scale=alt.Scale(nice=False, zero=False, padding=8, **_room(span)),
        )
        for axis, (span, title) in axes.items()
    }
    crowded = len(labels) > PALETTE
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=choice["epoch"],
        y=alt.Y(
            "value:Q",
            title=None,
            scale=alt.Scale(zero=False, nice=True, **_room(values)),
            axis=alt.Axis(tickCount=5),
        ),
        color=colour,
    )
    seeds = base.transform_filter("datum.seed !== null").encode(
        detail="seed:N", opacity=_shown(0.5, 0.06, 0.12 if crowded else 0.5)
    )
    layers = [seeds.mark_line(strokeWidth=1).encode(strokeDash=dash)]
    if means:
        of_means = base.transform_filter("datum.seed === null")
        layers.insert(
            0,
            of_means.transform_calculate(lower="datum.value - datum.sd", upper="datum.value + datum.sd")
            .mark_area(line=False)
            .encode(
                y=alt.Y("lower:Q", title=None),
                y2="upper:Q",
                opacity=_shown(0.16, 0.02, 0.05 if crowded else 0.16),
            ),
        )
        layers.append(
            of_means.mark_line(strokeWidth=1.7 if crowded else 2.6, strokeCap="round", strokeJoin="round").encode(
                opacity=_shown(1, 0.1), strokeDash=dash
            )
        )
    if few:
        opacity = _shown(0.75, 0.06, 0.2 if crowded else 0.75)
        layers.append(seeds.mark_circle(size=22).encode(opacity=opacity, tooltip=tooltip))
    chart = alt.layer(*layers).properties(
        width="container", height=220, description=f"{metric} of each label, one colour per label"
    )
    return bare(chart.add_params(alt.param(name="focus", value=""))), {
        axis: encoding.to_dict(validate=False) for axis, encoding in choice.items()
    }


def pareto_chart(
    data: str,
    labels: list[str],
    metric: str,
    cost: str,
    lower: bool,
    logarithmic: bool,
    spans: dict[str, Span],
    seeds: bool,
    sides: set[str],
) -> Spec:
    """A mark for each label with bars of a standard deviation, its seeds as faint dots, and the front as a line.

    cost:  what the label pays; lower: whether less of it is better.
    spans: the least and the greatest of `x` and of `value`, bars included.
    seeds: whether any label has more than one.
    sides: of their marks on which names stand, `left` or `right`.
    """
    import altair as alt

    if logarithmic:
        scale = alt.Scale(type="log", nice=False, padding=14)
    else:
        scale = alt.Scale(zero=False, nice=True, **_room(spans["x"]))
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=alt.X("x:Q", title=cost, scale=scale, axis=alt.Axis(grid=False, format="~s", tickCount=4, labelOverlap=True)),
        y=alt.Y(
            "value:Q",
            title=None,
            scale=alt.Scale(zero=False, nice=True, **_room(spans["value"])),
            axis=alt.Axis(tickCount=5),
        ),
    )
    shapes = [_SHAPES[index // PALETTE % len(_SHAPES)] for index in range(len(labels))]
    coloured = base.encode(color=alt.Color("label:N", scale=alt.Scale(domain=labels), legend=None))
    shape = alt.Shape("label:N", scale=alt.Scale(domain=labels, range=shapes), legend=None)
    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("seed:N"),
        alt.Tooltip("x:Q", title=cost, format=",.0f"),
        alt.Tooltip("value:Q", title=metric, format=".4~f"),
    ]

    of_means = coloured.transform_filter("datum.kind === 'mean'")
    of_front = base.transform_filter("datum.kind === 'front'")
    layers = [
        of_front.mark_line(interpolate="step-after" if lower else "step-before", strokeWidth=1.4).encode(
            color=alt.value(alt.expr("muted")), opacity=alt.value(0.7)
        ),
        of_means.mark_rule(strokeWidth=1.3).encode(
            y=alt.Y("low:Q", title=None), y2="high:Q", opacity=_shown(0.8, 0.08)
        ),
        of_means.mark_rule(strokeWidth=1.3).encode(
            x=alt.X("x_low:Q", title=cost), x2="x_high:Q", opacity=_shown(0.8, 0.08)
        ),
        of_means.mark_point(size=70, filled=True).encode(shape=shape, opacity=_shown(1, 0.1), tooltip=tooltip),
        *(
            of_front.transform_filter(f"datum.side === '{side}'")
            .mark_text(align=align, dx=dx, dy=-9, fontSize=11, limit=170)
            .encode(text="label:N", color=alt.value(alt.expr("ink")), opacity=_shown(1, 0.15))
            for side, align, dx in (("right", "left", 6), ("left", "right", -6))
            if side in sides
        ),
    ]
    if seeds:
        of_seeds = coloured.transform_filter("datum.kind === 'seed'").mark_point(size=22, filled=True)
        layers.insert(1, of_seeds.encode(shape=shape, opacity=_shown(0.35, 0.05), tooltip=tooltip))
    chart = alt.layer(*layers).properties(
        width="container", height=240, description=f"{metric} against {cost}, a mark per label"
    )
    names = {"focus": "", "ink": "#222", "muted": "#888"}
    return bare(chart.add_params(*(alt.param(name=name, value=value) for name, value in names.items())))


def confusion_chart(data: str, classes: list[str], label: str) -> Spec:
    """Colour as strong as the share of the true class, with the counts written in, where there is room for them."""
    import altair as alt

    has_room = len(classes) <= NUMBERED
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=alt.X(
            "prediction:N",
            scale=alt.Scale(domain=classes),
            title="predicted",
            axis=alt.Axis(labelAngle=-40 if has_room else -90, labelLimit=110, ticks=False, domain=False, grid=False),
        ),
        y=alt.Y(
            "target:N",
            scale=alt.Scale(domain=classes),
            title="true class",
            axis=alt.Axis(labelLimit=110, ticks=False, domain=False, grid=False),
        ),
        tooltip=[
            alt.Tooltip("target:N", title="true class"),
            alt.Tooltip("prediction:N", title="predicted"),
            alt.Tooltip("count:Q", format=","),
            alt.Tooltip("share:Q", format=".1%", title="share of the true class"),
        ],
    )
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.value(alt.expr("high")),
        opacity=alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.04, 1])),
    )
    layers: list[Any] = [cells]
    if has_room:
        layers.append(
            base.mark_text(fontSize=11 if len(classes) <= 9 else 9).encode(
                text=alt.Text("count:Q", format=",d"),
                color=alt.condition("datum.share > 0.5", alt.value(alt.expr("strong")), alt.value(alt.expr("ink"))),
                opacity=alt.condition("datum.count > 0", alt.value(1), alt.value(0.35)),
            )
        )
    chart = alt.layer(*layers).properties(
        width="container" if has_room else alt.Step(18),
        height=38 * len(classes) if has_room else alt.Step(18),
        description=f"Confusion matrix of {label}, summed over seeds",
    )
    names = {"ink": "#222", "high": "#0b5394", "strong": "#fff"}
    return bare(chart.add_params(*(alt.param(name=name, value=value) for name, value in names.items())))


def length_chart(data: str, labels: list[str], buckets: list[str]) -> Spec:
    """BLEU of short, middle and long sources: a line for each label, its mean over seeds."""
    import altair as alt

    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("length:N", title="source tokens"),
        alt.Tooltip("bleu:Q", title="BLEU", format=".1f"),
        alt.Tooltip("sd:Q", format=".2f"),
        alt.Tooltip("seeds:Q"),
        alt.Tooltip("n:Q", title="sentences", format=","),
    ]
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=alt.X(
            "length:N",
            sort=None,
            title="length of the source in tokens",
            axis=alt.Axis(grid=False, labelAngle=0),
            scale=alt.Scale(domain=buckets, type="point", padding=0.35),
        ),
        y=alt.Y("bleu:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5)),
    )
    return _lines(base, labels, tooltip, 44, "BLEU by length of the source, one colour per label")


def position_chart(data: str, labels: list[str], span: Span) -> Spec:
    """Token accuracy at each target place: a line for each label, its mean over seeds. span: of the places."""
    import altair as alt

    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("place:N", title="target place"),
        alt.Tooltip("accuracy:Q", format=".3f"),
        alt.Tooltip("sd:Q", format=".3f"),
        alt.Tooltip("seeds:Q"),
        alt.Tooltip("n:Q", title="tokens", format=","),
    ]
    base = alt.Chart(alt.NamedData(name=data)).encode(
        x=alt.X(
            "position:Q",
            title="place in the target",
            axis=alt.Axis(grid=False, format="d", **_ticks("epoch", span)),
            scale=alt.Scale(nice=False, zero=False, padding=8, **_room(span)),
        ),
        y=alt.Y("accuracy:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5)),
    )
    return _lines(base, labels, tooltip, 22, "Token accuracy by place in the target, one colour per label")


def _lines(base: Any, labels: list[str], tooltip: list[Any], size: int, description: str) -> Spec:
    """A line and dots for each label, which the legend beside them can highlight."""
    import altair as alt

    base = base.encode(color=alt.Color("label:N", scale=alt.Scale(domain=labels), legend=None))
    dash = alt.StrokeDash("label:N", legend=None, scale=alt.Scale(domain=labels, range=_dashes(len(labels))))
    lines = base.mark_line(strokeWidth=2, strokeJoin="round").encode(
        strokeDash=dash, opacity=alt.condition(_FOCUS, alt.value(0.9), alt.value(0.1))
    )
    dots = base.mark_circle(size=size).encode(
        opacity=alt.condition(_FOCUS, alt.value(1), alt.value(0.1)), tooltip=tooltip
    )
    chart = alt.layer(lines, dots).properties(width="container", height=220, description=description)
    return bare(chart.add_params(alt.param(name="focus", value="")))


def word_chart(words: str, arrows: str, method: str) -> Spec:
    """Words where their vectors lie, and arrows between pairs; the page chooses which words have room for a name."""
    import altair as alt

    def axis(channel: type, field: str) -> Any:
        return channel(f"{field}:Q", axis=None, scale=alt.Scale(zero=False, nice=False, domain=[0, 1]))

    tooltip = [alt.Tooltip("word:N"), alt.Tooltip("count:Q", format=",")]
    places = alt.Chart(alt.NamedData(name=words)).encode(x=axis(alt.X, "x"), y=axis(alt.Y, "y"), tooltip=tooltip)
    lines = alt.Chart(alt.NamedData(name=arrows)).encode(x=axis(alt.X, "x"), y=axis(alt.Y, "y"))
    layers = [
        lines.mark_rule(strokeWidth=1.3, opacity=0.7).encode(x2="x2:Q", y2="y2:Q", color=alt.value(alt.expr("accent"))),
        lines.mark_point(shape="triangle-up", size=55, filled=True, opacity=1).encode(
            x=axis(alt.X, "tip_x"),
            y=axis(alt.Y, "tip_y"),
            angle=alt.Angle("angle:Q", scale=None),
            color=alt.value(alt.expr("accent")),
        ),
        places.mark_circle(opacity=0.55).encode(
            size=alt.Size("count:Q", legend=None, scale=alt.Scale(type="sqrt", range=[10, 90])),
            color=alt.condition("datum.end", alt.value(alt.expr("accent")), alt.value(alt.expr("muted"))),
        ),
        *(
            places.transform_filter(f"datum.side === '{side}'")
            .mark_text(align=align, dx=dx, dy=dy, fontSize=11)
            .encode(
                text="word:N",
                color=alt.condition("datum.end", alt.value(alt.expr("accent")), alt.value(alt.expr("ink"))),
            )
            for side, align, dx, dy in _SIDES
        ),
    ]
    chart = alt.layer(*layers).properties(width="container", height=560, description=f"Word vectors by {method}")
    names = {"ink": "#222", "muted": "#888", "accent": "#0072B2"}
    return bare(chart.add_params(*(alt.param(name=name, value=value) for name, value in names.items())))


def _shown(strong: float, faint: float, unchosen: float | None = None) -> Any:
    """Opacity of a label that is highlighted, of one beside it, and of all where none is (`strong` without a value)."""
    import altair as alt

    if unchosen is None or unchosen == strong:
        return alt.condition(_FOCUS, alt.value(strong), alt.value(faint))
    chosen = alt.when("focus === datum.label").then(alt.value(strong))
    return chosen.when("focus === ''").then(alt.value(unchosen)).otherwise(alt.value(faint))


def _ticks(x: str, span: Span) -> dict[str, Any]:
    """About six ticks; those of epochs stand where one ends."""
    first, last = math.ceil(span[0]), math.floor(span[1])
    if x != "epoch" or last < first:
        return {"tickCount": 6}
    return {"values": list(range(first, last + 1, max(1, round((last - first) / 6))))}


def _room(span: Span) -> dict[str, list[float]]:
    """A domain around a single value, which a scale cannot be made of; nothing where there are two."""
    low, high = span
    if high > low:
        return {}
    margin = abs(low) / 10 or 1.0
    return {"domain": [low - margin, high + margin]}


def _dashes(n: int) -> list[list[int]]:
    patterns = [[1, 0], [6, 3], [2, 3], [8, 3, 2, 3]]
    return [patterns[min(index // PALETTE, len(patterns) - 1)] for index in range(n)]


def bare(chart: Any) -> Spec:
    """The chart as a dict, without the address of its schema and altair's own style: the page has one."""
    spec: Spec = chart.to_dict(validate=False)
    return {key: value for key, value in spec.items() if key not in ("$schema", "config")}
