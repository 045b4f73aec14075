"""The chart of most sections: a line with dots for each label, which the legend above it can highlight."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_seq.report.dashboard.chart_style import Spec, by_label, channel, chart, dashes, focused, layer


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
