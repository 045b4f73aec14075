"""Trajectories of the hidden state over sentences, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.sentences import Sentence
from lightning_seq.records.states import Travelled
from lightning_seq.report.dashboard.chart_style import Spec, by_label, channel, chart, layer
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sentences import by_sentence, diagnostic_section
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import seen
from lightning_seq.report.summary import Group, Summary

NAMED = 8
"""The most words of a sentence that are written at their points: the same ones for all labels."""

LETTER, LINE = 6.5, 15
"""The width of a letter and the height of a line of such words, in pixels."""

WIDTH, GAP, MOST_COLUMNS, HEIGHT = 1040, 20, 4, 230
"""In pixels, of the panels side by side and between two panels; how many there are; of a panel."""


def states(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """A picture for each sentence, with a panel for each label."""
    return diagnostic_section(page, runs, summary, "states", Travelled.read, _group, "States")


def _group(page: Page, group: Group, trajectories: dict[str, Travelled]) -> Markup:
    cards = [
        page.card(
            sentence.text,
            _chart(group.labels, len(places)),
            "states",
            ["label", "place", "direction", "step", "word", "named", "x", "y"],
            _rows(group.labels, trajectories, sentence, places),
            {"label": group.labels, "word": [seen(word) for word in sentence.words]},
        )
        for sentence, places in by_sentence(trajectories).items()
    ]
    shares = [
        f"{label}{f' {path.direction}' if len(trajectory.paths) > 1 else ''} {100 * path.share:.0f} %"
        for label, trajectory in trajectories.items()
        for path in trajectory.paths
    ]
    return draw("states", cards=cards, shares=shares)


def _rows(
    labels: list[str], trajectories: dict[str, Travelled], sentence: Sentence, places: dict[str, int]
) -> list[list[str | float]]:
    """A row for each label, direction and word; `named` is 1 for the points with a word, of the first direction."""
    named = _apart([trajectories[label].paths[0].places[index] for label, index in places.items()], sentence.words)
    rows: list[list[str | float]] = []
    for label, index in places.items():
        place = labels.index(label)
        for number, path in enumerate(trajectories[label].paths):
            points = path.places[index]
            order = range(len(points), 0, -1) if path.direction == "backward" else range(1, len(points) + 1)
            rows += [
                [place, place, path.direction, step, word, int(number == 0 and word in named), *point]
                for step, word, point in zip(order, range(len(points)), points, strict=True)
            ]
    return rows


def _apart(paths: Sequence[Sequence[Sequence[float]]], words: Sequence[str]) -> set[int]:
    """Up to `NAMED` words, the first one among them, whose texts overlap in no panel."""
    width, height = _panel(len(paths)), HEIGHT
    spans = []
    for axis in (0, 1):
        values = [point[axis] for path in paths for point in path]
        spans.append(max(values) - min(values) or 1.0)
    named: list[int] = []

    def overlap(first: int, second: int) -> bool:
        least = LETTER * (len(words[first]) + len(words[second])) / 2 + LETTER
        return any(
            abs(path[first][0] - path[second][0]) * width / spans[0] < least
            and abs(path[first][1] - path[second][1]) * height / spans[1] < LINE
            for path in paths
        )

    for place in sorted(range(len(words)), key=lambda place: place * 0.618034 % 1):  # spread over the sentence
        if len(named) < NAMED and not any(overlap(place, other) for other in named):
            named.append(place)
    return set(named)


def _panel(panels: int) -> int:
    """The width of a panel, in pixels."""
    columns = min(panels, MOST_COLUMNS)
    return min(420, (WIDTH + GAP) // columns - GAP)


def _chart(labels: list[str], panels: int) -> Spec:
    def axis(field: str, title: str) -> Spec:
        scale, ticks = {"zero": False, "nice": True, "padding": 14}, {"grid": False, "tickCount": 4}
        return channel(f"{field}:Q", title=title, scale=scale, axis=ticks)

    base = {"x": axis("x", "first component"), "y": axis("y", "second component"), "color": by_label(labels)}
    directions = {"domain": ["forward", "backward", "combined"], "range": [[1, 0], [5, 3], [1, 0]]}
    line = base | {
        "order": channel("step:Q"),
        "strokeDash": channel("direction:N", legend=None, scale=directions),
        "opacity": {"value": 0.7},
    }
    tooltip = [channel(name) for name in ("label:N", "word:N", "direction:N", "step:Q")]
    dots = base | {"detail": {"field": "direction"}, "tooltip": tooltip}
    words = {name: base[name] for name in ("x", "y")} | {"text": channel("word:N")}
    halo = words | {"stroke": {"value": {"expr": "card"}}}
    written = {"dy": -9, "fontSize": 11, "limit": 90}
    layers = [
        layer("line", line, strokeWidth=1.6, strokeJoin="round"),
        layer("point", dots, filled=True, size=22),
        layer("point", base, "datum.step === 1", filled=False, size=130, strokeWidth=1.6),
        layer("text", halo, "datum.named === 1", strokeWidth=3, strokeJoin="round", **written),
        layer("text", words | {"color": {"value": {"expr": "ink"}}}, "datum.named === 1", **written),
    ]
    about = "The state from word to word in the plane of its principal components, a panel for each label"
    parts = chart(layers, HEIGHT, about, "ink", "card", width=_panel(panels))
    header = {"title": None, "labelColor": {"expr": "ink"}, "labelFontSize": 13, "labelFontWeight": 600}
    return {
        "description": about,
        "params": parts["params"],
        "facet": channel("label:N", sort={"field": "place", "op": "min"}, header=header),
        "columns": min(panels, MOST_COLUMNS),
        "spacing": GAP,
        "usermeta": {"panel": _panel(panels) + GAP, "margin": 70},
        "spec": {name: parts[name] for name in ("width", "height", "layer")},
    }
