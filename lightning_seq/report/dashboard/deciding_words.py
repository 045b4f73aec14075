"""Attributions: the words that decided on a class, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.deciding_words import Decided, Decision, Integrated
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import Sentence
from lightning_seq.report.dashboard.chart_style import Spec, channel, line_chart
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sentences import (
    WORD_LABEL,
    HeatRow,
    HeatTable,
    by_sentence,
    diagnostic_section,
    numbered,
)
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary

MOST_PATTERNS, MOST_CLASSES = 5, 20


def deciding_words(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """For each sentence a curve and a row of words for each label; the patterns behind each class."""
    return diagnostic_section(page, runs, summary, "deciding_words", Decided.read, _group, "Attributions")


def _group(page: Page, group: Group, attributions: dict[str, Decided]) -> Markup:
    sentences = [
        _sentence(page, group, sentence, {label: attributions[label].decisions[at] for label, at in places.items()})
        for sentence, places in by_sentence(attributions).items()
    ]
    first = next(iter(attributions.values()))
    classes = sorted({name for attribution in attributions.values() for name in attribution.patterns})[:MOST_CLASSES]
    return draw(
        "deciding_words",
        labels=group.labels,
        legend=page.legend(group.labels),
        sentences=sentences,
        first=first,
        shown=list(attributions),
        most=MOST_PATTERNS,
        patterns={name: [result.patterns.get(name, ()) for result in attributions.values()] for name in classes},
    )


def _sentence(page: Page, group: Group, sentence: Sentence, decisions: Mapping[str, Decision]) -> dict[str, object]:
    names = numbered(sentence.words)
    rows = [
        [group.labels.index(label), place, value]
        for label, decision in decisions.items()
        for place, value in enumerate(decision.prefixes)
    ]
    title = f"{next(iter(decisions.values())).target}, prefix by prefix"
    card = page.card(
        title, _chart(group.labels, names), "prefixes", ["label", "word", "score"], rows,
        {"label": group.labels, "word": names},
    )  # fmt: skip
    gradients = [
        _heat_row(label, decision, "gradient × input", decision.gradients) for label, decision in decisions.items()
    ]
    integrated = [
        _heat_row(label, decision, _completeness(decision.integrated), decision.integrated.words)
        for label, decision in decisions.items()
        if decision.integrated is not None
    ]
    tables = [HeatTable(sentence.words, rows) for rows in (integrated, gradients) if rows]
    return {"text": sentence.text, "card": card, "heat": tables[0], "more": tables[1] if len(tables) > 1 else None}


def _completeness(integrated: Integrated) -> str:
    return (
        f"integrated gradients add up to {integrated.total:+.2f} of {integrated.rise:+.2f} "
        f"(error {100 * integrated.error:.1f} %, {integrated.steps} steps)"
    )


def _heat_row(label: str, decision: Decision, method: str, values: Sequence[float]) -> HeatRow:
    strongest = max(map(abs, values)) or 1.0
    wrong = "" if decision.prediction == decision.target else f", not {decision.target}"
    texts = [f"{round(value, 2) + 0.0:+.2f}" for value in values]
    return HeatRow(
        label, f"says {decision.prediction}{wrong}; {method}", [value / strongest for value in values], texts
    )


def _chart(labels: list[str], names: list[str]) -> Spec:
    axis = {"labelExpr": WORD_LABEL, "labelAngle": -45, "labelLimit": 90, "grid": False, "ticks": False}
    x = channel("word:O", title=None, scale={"domain": names}, axis=axis)
    y = channel("score:Q", title=None, scale={"zero": True, "nice": True}, axis={"tickCount": 5})
    tooltip = [channel("word:N"), channel("score:Q", format=".3f")]
    return line_chart(labels, x, y, tooltip, "Score of the class after each word", height=200)
