"""Trajectories of the hidden state over sentences, as a section of the dashboard."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.states import Travelled
from lightning_seq.report.dashboard.chart_style import Spec, by_label, channel, chart, focused, layer
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sentences import by_sentence, diagnostic_section
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import seen
from lightning_seq.report.summary import Group, Summary


def states(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """A chart for each sentence, a path for each label and direction."""
    return diagnostic_section(page, runs, summary, "states", Travelled.read, _group, "States")


def _group(page: Page, group: Group, trajectories: dict[str, Travelled]) -> Markup:
    cards = []
    for sentence, places in by_sentence(trajectories).items():
        rows = []
        for label, index in places.items():
            for path in trajectories[label].paths:
                points = path.places[index]
                order = range(len(points), 0, -1) if path.direction == "backward" else range(1, len(points) + 1)
                rows += [
                    [group.labels.index(label), path.direction, step, word, *point]
                    for step, word, point in zip(order, range(len(points)), points, strict=True)
                ]
        names = {"label": group.labels, "word": [seen(word) for word in sentence.words]}
        spec = _chart(group.labels, len(trajectories) == 1)
        cards.append(
            page.card(sentence.text, spec, "states", ["label", "direction", "step", "word", "x", "y"], rows, names)
        )
    shares = [
        f"{label}{f' {path.direction}' if len(trajectory.paths) > 1 else ''} {100 * path.share:.0f} %"
        for label, trajectory in trajectories.items()
        for path in trajectory.paths
    ]
    return draw("states", legend=page.legend(group.labels), cards=cards, shares=shares)


def _chart(labels: list[str], alone: bool) -> Spec:
    def axis(field: str, title: str) -> Spec:
        scale, ticks = {"zero": False, "nice": True, "padding": 12}, {"grid": False, "tickCount": 4}
        return channel(f"{field}:Q", title=title, scale=scale, axis=ticks)

    base = {"x": axis("x", "first component"), "y": axis("y", "second component"), "color": by_label(labels)}
    directions = {"domain": ["forward", "backward", "combined"], "range": [[1, 0], [5, 3], [1, 0]]}
    line = base | {
        "order": channel("step:Q"),
        "strokeDash": channel("direction:N", legend=None, scale=directions),
        "opacity": focused(0.9, 0.07),
    }
    tooltip = [channel(name) for name in ("label:N", "word:N", "direction:N", "step:Q")]
    dots = base | {"detail": {"field": "direction"}, "opacity": focused(1, 0.07), "tooltip": tooltip}
    words = base | {"text": channel("word:N"), "opacity": focused(1, 0, 1 if alone else 0)}
    layers = [
        layer("line", line, strokeWidth=1.8, strokeJoin="round"),
        layer("point", dots, filled=True, size=26),
        layer(
            "point", base | {"opacity": focused(1, 0.07)}, "datum.step === 1", filled=False, size=130, strokeWidth=1.6
        ),
        layer("text", words, dy=-9, fontSize=11),
    ]
    about = "The state from word to word in the plane of its principal components, one colour per label"
    return chart(layers, 300, about, "focus")
