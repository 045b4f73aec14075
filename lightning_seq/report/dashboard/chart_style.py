"""Parts of Vega-Lite specifications that all charts share: channels, layers, colours, ticks, highlights.

A chart is a plain Vega-Lite dict: the page gives it its data by name, its colours and the label that is highlighted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from lightning_seq.files import Plain
from lightning_seq.records.numbers import thin

Spec = dict[str, Plain]
Span = tuple[float, float]

PALETTE = 8
"""How many colours the page's style has; labels beyond them repeat the colours with other dashes and shapes."""

MOST_TICKS = 8
"""The most epochs that are written at an axis."""

_DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 2], [12, 4], [6, 2, 2, 2, 2, 2], [1, 3])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
_TYPES = {"Q": "quantitative", "N": "nominal", "O": "ordinal"}
_COLOURS = {
    "ink": "#222",
    "muted": "#888",
    "line": "#e3e5e8",
    "card": "#fff",
    "accent": "#0072B2",
    "high": "#0b5394",
    "warn": "#9a3b00",
    "strong": "#fff",
}
"""Parameters whose values the page replaces by the colours of its style."""


def channel(shorthand: str, **parts: Plain) -> Spec:
    """`channel("loss:Q", title="loss")`: a field with its type, as in altair, and other properties."""
    field, _, kind = shorthand.partition(":")
    return {"field": field, "type": _TYPES[kind], **parts}


def layer(mark: str, encoding: Mapping[str, Plain], *filters: str, **style: Plain) -> Spec:
    """A layer of one mark, with the rows for which all of the filters are true."""
    transform = {"transform": [{"filter": text} for text in filters]} if filters else {}
    return {"mark": {"type": mark, **style}, "encoding": {**encoding}, **transform}


def chart(layers: Sequence[Spec], height: Plain, about: str, *parameters: str, width: Plain = "container") -> Spec:
    """The layers in one chart. parameters: `focus` (the highlighted label) and names of colours."""
    params = [{"name": name, "value": _COLOURS.get(name, "")} for name in parameters]
    return {"params": params, "width": width, "height": height, "description": about, "layer": list(layers)}


def by_label(labels: Sequence[str], values: Sequence[Plain] = ()) -> Spec:
    """A channel with a value for each label: a colour of the palette, or one of `values`."""
    scale: Spec = {"domain": list(labels), **({"range": list(values)} if values else {})}
    return channel("label:N", scale=scale, legend=None)


def dash(index: int) -> list[int]:
    """The dashes of a label, by its place among the labels: two with one colour, or next to each other, differ."""
    return _DASHES[(index + index // PALETTE) % len(_DASHES)]


def dashes(labels: Sequence[str]) -> Spec:
    """The channel that breaks the lines of labels, for readers and printers without colours."""
    return by_label(labels, list(map(dash, range(len(labels)))))


def shapes(labels: Sequence[str]) -> Spec:
    """The channel that gives points of labels beyond the palette another shape."""
    return by_label(labels, [_SHAPES[index // PALETTE % len(_SHAPES)] for index in range(len(labels))])


def colour(name: str) -> Spec:
    """A colour of the page's style, by name."""
    return {"value": {"expr": name}}


def either(test: str, value: Plain, otherwise: Plain) -> Spec:
    return {"condition": {"test": test, "value": value}, "value": otherwise}


def focused(strong: float, weak: float, usual: float | None = None) -> Spec:
    """An opacity: `strong` for the highlighted label, `weak` for others; `usual` (or `strong`) without a highlight."""
    if usual is None or usual == strong:
        return either("focus === '' || focus === datum.label", strong, weak)
    tests = {"focus === datum.label": strong, "focus === ''": usual}
    return {"condition": [{"test": test, "value": value} for test, value in tests.items()], "value": weak}


def ticks(span: Span) -> Spec:
    """About six ticks, at whole numbers."""
    first, last = math.ceil(span[0]), math.floor(span[1])
    if last < first:
        return {"tickCount": 6}
    return {"values": list(range(first, last + 1, max(1, round((last - first) / 6))))}


def epochs_axis(epochs: Iterable[int], **parts: Plain) -> Spec:
    """The x channel of a column `epoch`, in which these are."""
    values = thin(sorted(set(epochs)), MOST_TICKS)
    return channel("epoch:Q", axis={"grid": False, "values": values, "format": "d"}, **parts)


def value_axis(shorthand: str, span: Span = (0.0, 1.0)) -> Spec:
    """The y channel of a metric; span: its least and greatest value, where they may be equal."""
    scale = {"zero": False, "nice": True, **single_value_domain(span)}
    return channel(shorthand, title=None, scale=scale, axis={"tickCount": 5})


def single_value_domain(span: Span) -> Spec:
    """A domain around a single value, which a scale cannot be made of; nothing for two different ends."""
    low, high = span
    if high > low:
        return {}
    margin = abs(low) / 10 or 1.0
    return {"domain": [low - margin, high + margin]}


def line_chart(
    labels: Sequence[str],
    x: Spec,
    y: Spec,
    tooltip: Sequence[Spec],
    about: str,
    *,
    height: int = 220,
    size: int = 24,
    dots: float = 1,
    filters: tuple[str, str] | None = None,
    below: Sequence[Spec] = (),
    colours: tuple[str, ...] = (),
    noun: str = "label",
    **style: bool,
) -> Spec:
    """A line and dots for each label.

    x, y:    the channels.
    tooltip: channels that are shown of a dot, below its label.
    size, dots: area and opacity of the dots.
    filters: of the rows, for lines and for dots.
    below:   layers under the lines; colours: names of the page's style that they use.
    noun:    a line is of one such thing.
    style:   of both marks, such as `clip`.
    """
    base = {"x": x, "y": y, "color": by_label(labels)}
    named = channel("label:N", **({} if noun == "label" else {"title": noun}))
    lines, points = [[text] for text in filters] if filters else ([], [])
    layers = [
        *below,
        layer("line", base | {"strokeDash": dashes(labels), "opacity": focused(1, 0.1)}, *lines,
              strokeWidth=2, strokeJoin="round", **style),
        layer("circle", base | {"opacity": focused(dots, 0.1), "tooltip": [named, *tooltip]}, *points,
              size=size, **style),
    ]  # fmt: skip
    return chart(layers, height, f"{about}, one colour per {noun}", "focus", *colours)
