"""The true and the predicted label of each step of test sequences, as bands above each other."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.segments import Timeline
from lightning_seq.report.dashboard.chart_style import Spec, channel, chart, layer
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary

MOST = 6
"""Sequences that are shown."""
NAME_WIDTH = 95
"""Of the name of a class in the legend, in pixels."""
TRUTH = "truth"
BAND = 26
"""The height of a band, in pixels."""


def timeline(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """A chart for each sequence: a band of the truth, and one of the first seed of each label."""
    return page.of_artifacts("Timeline", "segments", Timeline.read, runs, summary, _group)


def _group(page: Page, group: Group, timelines: list[tuple[Record, Timeline]]) -> Markup:
    first: dict[str, Timeline] = {}
    for record, content in sorted(timelines, key=lambda item: item[0].seed):
        first.setdefault(record.label, content)
    labels = [label for label in group.labels if label in first]
    classes = list(dict.fromkeys(name for content in first.values() for name in content.labels))
    lanes = [TRUTH, *labels]
    cards = []
    for bands in first[labels[0]].sequences[:MOST]:
        rows = []
        for label in labels:
            content = first[label]
            own = next((other for other in content.sequences if other.id == bands.id), None)
            drawn = [] if own is None else [(lanes.index(label), own.prediction)]
            drawn += [(0, bands.truth)] if label == labels[0] else []
            for lane, band in drawn:
                start = 0
                for number, length in band:
                    if number >= 0:
                        rows.append([lane, classes.index(content.labels[number]), start, start + length])
                    start += length
        columns, names = ["lane", "class", "start", "stop"], {"lane": lanes, "class": classes}
        card = page.card(f"Sequence {bands.id}", _chart(lanes, classes), "timeline", columns, rows, names)
        cards.append(card._replace(png=bands.png))
    return draw("cards", cards=cards)


def _chart(lanes: list[str], classes: list[str]) -> Spec:
    scheme = {"domain": classes, **({"scheme": "tableau10"} if len(classes) <= 10 else {"scheme": "tableau20"})}
    legend = {"orient": "top", "columns": {"expr": f"max(1, floor(width / {NAME_WIDTH}))"}}
    encoding = {
        "x": channel("start:Q", title="step", scale={"nice": False}, axis={"grid": False, "format": "d"}),
        "x2": {"field": "stop"},
        "y": channel("lane:N", title=None, sort=lanes, scale={"paddingInner": 0.15}),
        "color": channel("class:N", title=None, scale=scheme, legend=legend),
        "tooltip": [channel("lane:N"), channel("class:N"), channel("start:Q"), channel("stop:Q")],
    }
    about = "The class of each step: the truth, and the prediction of each label"
    return chart([layer("bar", encoding)], BAND * len(lanes), about)
