"""Maps of word vectors, as a section of the dashboard and as a page of their own."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.word_map import WordMap, word_maps
from lightning_seq.report.dashboard.chart_style import Spec, channel, chart, colour, layer
from lightning_seq.report.dashboard.page import Card, Page
from lightning_seq.report.dashboard.templates import draw

_SIDES = (("right", "left", 7, 0), ("left", "right", -7, 0), ("above", "center", 0, -12), ("below", "center", 0, 12))
"""Where the name of a word may be: the side of its dot, the alignment, the shift in pixels."""


def word_vectors(page: Page, runs: list[tuple[Path, Record]]) -> Markup:
    """Every different map of the runs."""
    maps, notes = word_maps(runs)
    titles = [f"{word_map.method}, {len(word_map.words):,} words" for word_map in maps]
    if len(maps) > 1:
        titles = [f"{title} ({', '.join(word_map.labels)})" for title, word_map in zip(titles, maps, strict=True)]
    return map_section(page, list(zip(titles, maps, strict=True)), notes)


def map_section(page: Page, maps: list[tuple[str, WordMap]], notes: list[str]) -> Markup:
    """The section of these maps, each under its title."""
    body = draw("cards", cards=[_card(page, *word_map) for word_map in maps])
    return page.section("Word vectors", "words", body=body, wrong=notes)


def _card(page: Page, title: str, word_map: WordMap) -> Card:
    words = page.table("words", ["word", "count", "x", "y"], [list(word) for word in word_map.words])
    arrows = page.table("arrows", ["from", "to"], [list(arrow) for arrow in word_map.arrows])
    return Card(title, page.chart(_chart(words, arrows, word_map.method), words=words, arrows=arrows))


def _chart(words: str, arrows: str, method: str) -> Spec:
    """Words where their vectors lie, and arrows between pairs; the page shows the names that have room."""

    def place(field: str) -> Spec:
        return channel(f"{field}:Q", axis=None, scale={"zero": False, "nice": False, "domain": [0, 1]})

    def accent(otherwise: str) -> Spec:
        return {"condition": {"test": "datum.end", **colour("accent")}, **colour(otherwise)}

    tooltip = [channel("word:N"), channel("count:Q", format=",")]
    base = {"x": place("x"), "y": place("y")}
    line = base | {"x2": {"field": "x2"}, "y2": {"field": "y2"}, "color": colour("accent")}
    tip = {
        "x": place("tip_x"),
        "y": place("tip_y"),
        "angle": channel("angle:Q", scale=None),
        "color": colour("accent"),
    }
    size = channel("count:Q", legend=None, scale={"type": "sqrt", "range": [10, 90]})
    name = base | {"tooltip": tooltip, "text": channel("word:N"), "color": accent("ink")}
    of_arrows = [
        layer("rule", line, strokeWidth=1.3, opacity=0.7),
        layer("point", tip, shape="triangle-up", size=55, filled=True, opacity=1),
    ]
    of_words = [
        layer("circle", base | {"tooltip": tooltip, "size": size, "color": accent("muted")}, opacity=0.55),
        *(
            layer("text", name, f"datum.side === '{side}'", align=align, dx=dx, dy=dy, fontSize=11)
            for side, align, dx, dy in _SIDES
        ),
    ]
    layers = [
        {"data": {"name": data}, **drawn} for data, part in ((arrows, of_arrows), (words, of_words)) for drawn in part
    ]
    return chart(layers, 560, f"Word vectors by {method}", "ink", "muted", "accent")
