"""Maps of a translator's attention, side by side, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.attention import LEVELS, Attended, Step, fitted, read_attention
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import one_line, visible
from lightning_seq.report.summary import Group, Summary

_SCALE = (0.01, 0.1, 0.25, 0.5, 1.0)
_LONGEST_TITLE = 240

Maps = list[tuple[Record, list[Attended]]]
"""Of each run, its sentences with their maps."""


def attention(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """The maps of the first seed of each label that attends."""
    maps, wrong = first_maps(runs)

    def part(group: Group) -> Markup:
        mine = {record.label: sentences for record, sentences in maps if group.holds(record)}
        return _group(page, group, {label: mine[label] for label in group.labels if label in mine})

    return page.section("Attention", "attention", of_groups(summary, part), wrong=wrong)


def first_maps(runs: list[tuple[Path, Record]]) -> tuple[Maps, list[str]]:
    """The maps of each label's first finished seed, as many as a page holds, and notes on unreadable files."""
    readable, wrong = read_artifacts(first_runs(runs, "attention"), "attention", read_attention)
    kept = fitted([sentences for _, sentences in readable])
    return [(record, mine) for (record, _), mine in zip(readable, kept, strict=True) if mine], wrong


def _group(page: Page, group: Group, maps: dict[str, list[Attended]]) -> Markup:
    if not maps:
        return Markup()
    sentences: dict[tuple[int, tuple[str, ...]], dict[str, Attended]] = {}
    for label, mine in maps.items():
        for sentence in mine:
            sentences.setdefault((sentence.number, sentence.source), {})[label] = sentence
    epochs = sorted({step.epoch for mine in maps.values() for sentence in mine for step in sentence.steps})
    listed = [
        {
            "source": [shown(token) for token in source],
            "maps": [
                *(_map(*item) for item in by_label.items()),
                *(one for label, sentence in by_label.items() for one in _head_maps(label, sentence)),
            ],
        }
        for (_, source), by_label in sentences.items()
    ]
    return draw(
        "attention",
        labels=group.labels,
        map=page.map({"levels": LEVELS, "epochs": epochs, "sentences": listed}),
        epochs=epochs,
        scale=_SCALE,
        sentences=[
            (
                _title(source),
                list(by_label),
                any(sentence.cut for sentence in by_label.values()),
                {label: len(sentence.steps[-1].heads) for label, sentence in by_label.items()},
            )
            for (_, source), by_label in sentences.items()
        ],
        missing=[row.label for row in group.rows if row.done and row.label not in maps],
    )


def _title(source: tuple[str, ...]) -> str:
    text = " ".join(shown(token) for token in source)
    return text if len(text) <= _LONGEST_TITLE else text[:_LONGEST_TITLE] + "…"


def _map(label: str, sentence: Attended) -> Plain:
    return {"label": one_line(label), "steps": [_step(step, step.rows) for step in sentence.steps]}


def _head_maps(label: str, sentence: Attended) -> list[Plain]:
    """A map of each head, after the last epoch."""
    step = sentence.steps[-1]
    return [
        {"label": f"{one_line(label)}, head {head}", "steps": [_step(step, rows)]}
        for head, rows in enumerate(step.heads, 1)
    ]


def _step(step: Step, rows: Sequence[str]) -> Plain:
    return [step.epoch, [shown(token) for token in step.target], "".join(rows)]


def shown(token: str) -> str:
    """A token in which white space can be seen."""
    return one_line(token) if token.strip() else visible(token)
