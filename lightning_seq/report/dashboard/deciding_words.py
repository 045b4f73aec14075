"""Which words decided on a class, as a section of the dashboard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lightning_seq.records.deciding_words import Decided, Decision, Pattern, read_deciding_words
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import Sentence
from lightning_seq.report.dashboard.charts import Spec
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.sections import named, section
from lightning_seq.report.dashboard.sentences import (
    WORD_LABEL,
    Found,
    by_group,
    by_sentence,
    heat_table,
    label_cell,
    line_chart,
    numbered,
    shown,
)
from lightning_seq.report.escape import html
from lightning_seq.report.summary import Group, Summary

MOST_PATTERNS, MOST_CLASSES = 5, 20

ABOUT = (
    "For some validation sentences, after the last epoch: what a model says of the sentence's own class when it reads "
    "no further than a word (LISA, Gupta & Schütze 2018), and how much each word brings to the score of that class "
    "when it reads all of them (gradient times input, its strongest word in full colour, another colour where it "
    "speaks against the class). The first seed of each label. Scores of two labels compare by where they rise, "
    "gradients by their signs and their order."
)
PATTERNS = (
    "The words with which the {says} of the right class first came to {threshold}, over all sentences that were looked "
    "at; behind them by how much they raised it, and in how many sentences where in more than one."
)


def deciding_words(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> str:
    """For each sentence a curve and a row of words for each label; the patterns behind each class."""
    body = by_group(runs, summary, "deciding_words", read_deciding_words, partial(_group, page))
    return section("Which words decided", body, ABOUT, "deciding-words") if body else ""


def _group(page: Page, group: Group, found: Found[Decided]) -> str:
    held = {record.label: each for record, each in found}
    body = "".join(
        _sentence(page, group, sentence, {label: held[label].decisions[place] for label, place in places.items()})
        for sentence, places in by_sentence(found, lambda each: each.sentences).items()
    )
    return page.legend(group.labels) + body + _patterns(group, held)


def _sentence(page: Page, group: Group, sentence: Sentence, decisions: dict[str, Decision]) -> str:
    names = numbered(sentence.words)
    rows: list[Any] = [
        [group.labels.index(label), place, value]
        for label, decision in decisions.items()
        for place, value in enumerate(decision.prefixes)
    ]
    table = page.table("prefixes", ["label", "word", "said"], rows, {"label": group.labels, "word": names})
    target = next(iter(decisions.values())).target
    heat = heat_table(sentence.words, [_gradient_row(group, label, each) for label, each in decisions.items()])
    return (
        f'<div class="group"><h4 dir="auto">{html(sentence.text)}</h4><div class="pair"><div class="card">'
        f"<h4>{html(target)}, prefix by prefix</h4>{page.chart(_chart(table, group.labels, names), table=table)}</div>"
        f"{heat}</div></div>"
    )


def _gradient_row(group: Group, label: str, decision: Decision) -> tuple[str, list[float], list[str]]:
    strongest = max(map(abs, decision.gradients)) or 1.0
    is_right = decision.prediction == decision.target
    said = f"says {decision.prediction}" + ("" if is_right else f", not {decision.target}")
    texts = [f"{round(value, 2) + 0.0:+.2f}" for value in decision.gradients]
    return label_cell(group, label, said), [value / strongest for value in decision.gradients], texts


def _chart(table: str, labels: list[str], names: list[str]) -> Spec:
    return line_chart(
        table,
        labels,
        200,
        "What is said of the class after each word",
        {
            "field": "word",
            "type": "ordinal",
            "title": None,
            "scale": {"domain": names},
            "axis": {"labelExpr": WORD_LABEL, "labelAngle": -45, "labelLimit": 90, "grid": False, "ticks": False},
        },
        {
            "field": "said",
            "type": "quantitative",
            "title": None,
            "scale": {"zero": True, "nice": True},
            "axis": {"tickCount": 5},
        },
        [{"field": "word", "type": "nominal"}, {"field": "said", "type": "quantitative", "format": ".3f"}],
    )


def _patterns(group: Group, held: dict[str, Decided]) -> str:
    classes = sorted({name for each in held.values() for name in each.patterns})[:MOST_CLASSES]
    if not classes:
        return ""
    head = "".join(f'<th class="left" scope="col">{named(group.labels.index(label), label)}</th>' for label in held)
    rows = "".join(
        f'<tr><th scope="row">{html(name)}</th>'
        + "".join(
            f'<td class="left">{"<br>".join(map(_pattern, each.patterns.get(name, ())[:MOST_PATTERNS])) or "–"}</td>'
            for each in held.values()
        )
        + "</tr>"
        for name in classes
    )
    first = next(iter(held.values()))
    about = PATTERNS.format(says=first.says, threshold=f"{first.threshold:.2f}")
    return (
        f'<div class="group"><p class="about">{html(about)}</p><div class="scroll"><table class="compare">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def _pattern(pattern: Pattern) -> str:
    words = " ".join(shown(word) for word in pattern.words)
    often = f" × {pattern.sentences}" if pattern.sentences > 1 else ""
    return f'<bdi>{html(words)}</bdi> <span style="color:var(--muted)">{pattern.rise:+.2f}{often}</span>'
