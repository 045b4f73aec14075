"""Test utterances with the transcripts, spikes and attention of each label, as a section of the dashboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.records.speech import Speech, Utterance
from lightning_seq.report.dashboard.compared_words import compared
from lightning_seq.report.dashboard.page import Cell, Heading, Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.formats import decimal, whole
from lightning_seq.report.predictions import Names, example_names, name_of
from lightning_seq.report.summary import Group, Summary

WIDTH = 720
"""Pixels of an utterance's picture."""
MOST_PAIRS = 15
"""Confusions of each label."""


def speech(page: Page, tested: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """The utterances of the first seed of each label."""
    runs = first_runs(tested, "speech")
    found, wrong = read_artifacts(runs, "speech", Speech.read)

    def part(group: Group) -> Markup:
        mine = {record.label: content for record, content in found if group.holds(record)}
        labels = [label for label in group.labels if label in mine][:MOST_LABELS]
        names = example_names([run for run in runs if group.holds(run[1])])
        return _group(group, {label: mine[label] for label in labels}, next(iter(names.values()), {}))

    return page.section("Speech", "speech", of_groups(summary, part), wrong=wrong)


def _group(group: Group, runs: dict[str, Speech], names: Names) -> Markup:
    if not runs:
        return Markup()
    utterances: dict[int, dict[str, Utterance]] = {}
    for label, content in runs.items():
        for one in content.utterances:
            utterances.setdefault(one.number, {})[label] = one
    return draw(
        "speech",
        labels=group.labels,
        width=WIDTH,
        utterances=[
            (name_of(names, number), next(iter(mine.values())), [_version(label, one) for label, one in mine.items()])
            for number, mine in utterances.items()
        ],
        speaker_head=[Heading("speaker", "text"), *(Heading(label, first="down") for label in runs)],
        speakers=list(_by_speaker(runs)),
        confusions=[(label, _worst(content)) for label, content in runs.items() if content.confusions],
    )


def _version(label: str, one: Utterance) -> tuple[str, Utterance, object]:
    """The transcript in pieces: words, or letters where the reference is one word."""
    spaced = " " in one.reference.strip()
    written, reference = (text if spaced else " ".join(text) for text in (one.transcript, one.reference))
    return label, one, compared(written, [reference])


def _by_speaker(runs: dict[str, Speech]) -> Iterator[tuple[str, list[Cell]]]:
    """The word error rate of each speaker, those with the most errors first."""
    rates: dict[str, dict[str, tuple[int, int]]] = {}
    for label, content in runs.items():
        for name, errors, words in content.speakers:
            rates.setdefault(name, {})[label] = errors, words
    for name, mine in sorted(rates.items(), key=lambda item: (-sum(errors for errors, _ in item[1].values()), item[0])):
        cells = []
        for label in runs:
            errors, words = mine.get(label, (0, 0))
            cells.append(
                Cell(decimal(errors / words), errors / words, f"{whole(errors)} of {whole(words)}")
                if words
                else Cell("–", None)
            )
        yield name, cells


def _worst(content: Speech) -> list[tuple[str, str, int]]:
    """The most frequent confusions."""
    counts = Counter({(one, other): count for one, other, count in content.confusions if one != other})
    return [(one or "nothing", other or "nothing", count) for (one, other), count in counts.most_common(MOST_PAIRS)]
