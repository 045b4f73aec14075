"""Diagnostics of sentences on the dashboard: one run of each label, the same sentences for all, words in colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS, MOST_SENTENCES, Sentence
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import seen
from lightning_seq.report.summary import Group, Summary

T = TypeVar("T")

WORD_LABEL = "slice(datum.label, 3)"
"""The Vega expression that takes the place from before a word of `numbered`."""


class HeatRow(NamedTuple):
    """A row of a heat table. weights: for each word, from -1 to 1, how strong its colour is; texts: of its cells."""

    label: str
    below: str
    weights: Sequence[float]
    texts: Sequence[str]


class HeatTable(NamedTuple):
    """Words along the top, rows of labels, cells coloured by their weights."""

    words: Sequence[str]
    rows: list[HeatRow]


def first_runs(runs: Iterable[tuple[Path, Record]], name: str) -> list[tuple[Path, Record]]:
    """The first finished seed of each label on each data set that has the artifact `name`."""
    chosen: dict[tuple[str, str, str], tuple[Path, Record]] = {}
    for run in sorted(runs, key=lambda item: item[1].seed):
        if run[1].status == "done" and name in run[1].artifacts:
            chosen.setdefault((run[1].task, run[1].data, run[1].label), run)
    return list(chosen.values())


def diagnostic_section(
    page: Page,
    runs: list[tuple[Path, Record]],
    summary: Summary,
    name: str,
    read: Callable[[Path], T],
    part: Callable[[Page, Group, dict[str, T]], Markup],
    title: str,
) -> Markup:
    """A section of the artifacts `name` of the first seed of each label.

    part: makes HTML of a data set, from the contents of the artifact by label.
    """

    def of_group(page: Page, group: Group, contents: list[tuple[Record, T]]) -> Markup:
        known = {record.label: content for record, content in contents}
        labels = [label for label in group.labels if label in known]
        body = part(page, group, {label: known[label] for label in labels[:MOST_LABELS]})
        left_out = len(labels) - MOST_LABELS
        return body + (draw("note", text=f"{left_out} more labels are left out.") if left_out > 0 else "")

    return page.of_artifacts(title, name, read, first_runs(runs, name), summary, of_group)


class OfSentences(Protocol):
    """The contents of an artifact of a diagnostic."""

    @property
    def sentences(self) -> tuple[Sentence, ...]: ...


def by_sentence(contents: Mapping[str, OfSentences]) -> dict[Sentence, dict[str, int]]:
    """Each sentence, and its place in the contents of each label; at most `MOST_SENTENCES`."""
    places: dict[Sentence, dict[str, int]] = {}
    for label, result in contents.items():
        for place, sentence in enumerate(result.sentences):
            places.setdefault(sentence, {})[label] = place
    return dict(list(places.items())[:MOST_SENTENCES])


def numbered(words: Sequence[str]) -> list[str]:
    """Words with their places before them, so that no two are equal: `WORD_LABEL` takes the places away again."""
    return [f"{place:02d} {seen(word)}" for place, word in enumerate(words, 1)]
