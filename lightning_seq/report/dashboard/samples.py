"""Texts that language models wrote after each epoch and the symbols they expect next, as a section of the dashboard."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.samples import Samples
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import visible
from lightning_seq.report.summary import Group, Summary


def samples(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """Samples of each run that has any, folded away but for the first of a data set."""
    return page.of_artifacts("Samples", "samples", Samples.read, runs, summary, _group)


def _group(page: Page, group: Group, samples: list[tuple[Record, Samples]]) -> Markup:
    filled = [
        (group.labels.index(record.label), f"{record.label}, seed {record.seed}", written)
        for record, written in samples
        if written.texts or written.steps
    ]
    return draw("samples", runs=filled, begun=_begun)


def _begun(prompt: str) -> str:
    """A prompt with signs for white space at its beginning."""
    rest = prompt.lstrip()
    return visible(prompt[: len(prompt) - len(rest)]) + rest
