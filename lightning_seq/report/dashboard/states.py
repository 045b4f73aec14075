"""The way of the state through a sentence, as a section of the dashboard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lightning_seq.records.record import Record
from lightning_seq.records.states import Travelled, read_states
from lightning_seq.report.dashboard.charts import Spec
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import note, section
from lightning_seq.report.dashboard.sentences import Found, by_group, by_sentence, focused, label_colours, shown
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary

ABOUT = (
    "The state h of the top layer from word to word, in the plane of its two principal components over some validation "
    "sentences, after the last epoch; the first seed of each label. Every label has a plane of its own, scaled to a "
    "standard deviation of 1 along its first component: shapes compare, places and directions do not. A ring is where "
    "reading begins, which for a backward direction (broken line) is the last word. Choose a label to see its words."
)


def states(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """A chart for each sentence, a path for each label and direction."""
    body = by_group(runs, summary, "states", read_states, partial(_group, page))
    return section("States", body, ABOUT, "states") if body else ""


def _group(page: Page, group: Group, found: Found[Travelled]) -> str:
    held = {record.label: each for record, each in found}
    cards = []
    for sentence, places in by_sentence(found, lambda each: each.sentences).items():
        rows: list[Any] = []
        for label, index in places.items():
            for path in held[label].paths:
                walked = path.places[index]
                order = range(len(walked), 0, -1) if path.direction == "backward" else range(1, len(walked) + 1)
                rows += [
                    [group.labels.index(label), path.direction, step, word, *place]
                    for step, word, place in zip(order, range(len(walked)), walked, strict=True)
                ]
        words = [shown(word) for word in sentence.words]
        columns = ["label", "direction", "step", "word", "x", "y"]
        table = page.table("states", columns, rows, {"label": group.labels, "word": words})
        chart = page.chart(_chart(table, group.labels, len(held) == 1), table=table)
        cards.append(f'<div class="card"><h4 dir="auto">{html(sentence.text)}</h4>{chart}</div>')
    shares = [
        f"{label}{f' {path.direction}' if len(each.paths) > 1 else ''} {100 * path.share:.0f} %"
        for label, each in held.items()
        for path in each.paths
    ]
    return (
        page.legend(group.labels)
        + f'<div class="pair">{"".join(cards)}</div>'
        + note(f"Of the variance of its states, what the plane of each shows: {', '.join(shares)}.")
    )


def _chart(table: str, labels: list[str], alone: bool) -> Spec:
    def axis(field: str) -> Spec:
        return {
            "field": field,
            "type": "quantitative",
            "title": {"x": "first component", "y": "second component"}[field],
            "scale": {"zero": False, "nice": True, "padding": 12},
            "axis": {"grid": False, "tickCount": 4},
        }

    colours = label_colours(labels)
    path = {"x": axis("x"), "y": axis("y"), "color": colours["color"]}
    tooltip = [
        {"field": "label", "type": "nominal"},
        {"field": "word", "type": "nominal"},
        {"field": "direction", "type": "nominal"},
        {"field": "step", "type": "quantitative"},
    ]
    broken = {
        "field": "direction",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["forward", "backward", "combined"], "range": [[1, 0], [5, 3], [1, 0]]},
    }
    return {
        "data": {"name": table},
        "params": [{"name": "focus", "value": ""}],
        "width": "container",
        "height": 300,
        "description": "The state from word to word in the plane of its principal components, one colour per label",
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 1.8, "strokeJoin": "round"},
                "encoding": path
                | {
                    "order": {"field": "step", "type": "quantitative"},
                    "strokeDash": broken,
                    "opacity": focused(0.9, 0.07),
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 26},
                "encoding": path | {"detail": {"field": "direction"}, "opacity": focused(1, 0.07), "tooltip": tooltip},
            },
            {
                "transform": [{"filter": "datum.step === 1"}],
                "mark": {"type": "point", "filled": False, "size": 130, "strokeWidth": 1.6},
                "encoding": path | {"opacity": focused(1, 0.07)},
            },
            {
                "mark": {"type": "text", "dy": -9, "fontSize": 11},
                "encoding": path
                | {"text": {"field": "word", "type": "nominal"}, "opacity": focused(1, 0, 1 if alone else 0)},
            },
        ],
    }
