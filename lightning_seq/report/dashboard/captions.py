"""Pictures with their captions and the attention of each word, side by side, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.attention import LEVELS
from lightning_seq.records.captions import CaptionedPicture, Captions, ScoredCaption, ScoredCaptions, fitted
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.report.dashboard.compared_words import compared
from lightning_seq.report.dashboard.page import Cell, Heading, Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.dashboard.tested_pictures import TestedPicture, Version, different, extremes
from lightning_seq.report.escape import one_line
from lightning_seq.report.formats import decimal, mean_and_std
from lightning_seq.report.predictions import Names, example_names, name_of
from lightning_seq.report.summary import Group, Summary

SCALE = (0.01, 0.1, 0.25, 0.5, 1.0)
"""The weights of the key to the colours."""

ByLabel = dict[str, Captions]
Scores = dict[str, ScoredCaptions]


def captions(
    page: Page, runs: list[tuple[Path, Record]], tested: list[tuple[Path, Record]], summary: Summary
) -> Markup:
    """The pictures of the first seed of each label. tested: the runs whose test results are shown."""
    found, wrong = first_captions(runs)
    of_test = first_runs(tested, "test_captions")
    scores, wrong_scores = read_artifacts(of_test, "test_captions", ScoredCaptions.read)

    def part(group: Group) -> Markup:
        mine = {record.label: content for record, content in found if group.holds(record)}
        known = {record.label: content for record, content in scores if group.holds(record)}
        names = example_names([run for run in of_test if group.holds(run[1])])
        order = [label for label in group.labels if label in mine or label in known][:MOST_LABELS]
        return _group(
            page,
            group,
            {label: mine[label] for label in order if label in mine},
            {label: known[label] for label in order if label in known},
            next(iter(names.values()), {}),
        )

    return page.section("Captions", "captions", of_groups(summary, part), wrong=[*wrong, *wrong_scores])


def first_captions(runs: list[tuple[Path, Record]]) -> tuple[list[tuple[Record, Captions]], list[str]]:
    """The captions of each label's first finished seed, as many as a page holds, and notes on unreadable files."""
    readable, wrong = read_artifacts(first_runs(runs, "captions"), "captions", Captions.read)
    kept = fitted([content for _, content in readable])
    return [(record, mine) for (record, _), mine in zip(readable, kept, strict=True)], wrong


def by_picture(runs: ByLabel) -> dict[int, dict[str, CaptionedPicture]]:
    """The pictures by number, each with the labels that have it."""
    pictures: dict[int, dict[str, CaptionedPicture]] = {}
    for label, content in runs.items():
        for picture in content.pictures:
            if picture.captions:
                pictures.setdefault(picture.number, {})[label] = picture
    return pictures


def _group(page: Page, group: Group, runs: ByLabel, scores: Scores, names: Names) -> Markup:
    pictures = by_picture(runs)
    if not pictures and not scores:
        return Markup()
    epochs = sorted({one.epoch for mine in pictures.values() for picture in mine.values() for one in picture.captions})
    listed = [_plain(mine, runs) for mine in pictures.values()]
    tested = {label: content.pictures for label, content in scores.items()}
    return draw(
        "captions",
        labels=group.labels,
        map=page.map({"levels": LEVELS, "epochs": epochs, "unit": "word", "pictures": listed}),
        epochs=epochs,
        scale=SCALE if any(run.grid for run in runs.values()) else (),
        pictures=[
            (_title(next(iter(mine.values()))), list(mine), max(map(_longest, mine.values())))
            for mine in pictures.values()
        ],
        head=[Heading("label", "text"), *(Heading(name, first="down") for name in _POINTING)],
        rows=[(label, "", cells) for label, cells in _pointing(group)],
        different=[_picture(mine, names) for mine in different(tested, lambda one: one.caption, lambda one: one.cider)],
        extremes=[
            (label, {kind: [_picture({label: one}, names) for one in mine] for kind, mine in kinds.items()})
            for label, kinds in extremes(tested, lambda one: (one.cider, -(one.loss or 0.0)))
        ],
    )


_POINTING = {"pointing": "pointing", "share in the box": "on_target", "pointing of equal weights": "uniform"}
"""The headings of metrics."""


def _pointing(group: Group) -> Iterator[tuple[str, list[Cell]]]:
    """The labels whose attention was tested against boxes."""
    for row in group.rows:
        values = [row.metric(f"test/{name}") for name in _POINTING.values()]
        if values[0].known:
            yield row.label, [Cell(mean_and_std(value), value.mean) for value in values]


def _title(picture: CaptionedPicture) -> str:
    return one_line(picture.references[0]) if picture.references else f"row {picture.number}"


def _longest(picture: CaptionedPicture) -> int:
    """The most words of a caption with attention."""
    return max((len(one.weights) for one in picture.captions), default=0)


def _plain(mine: dict[str, CaptionedPicture], runs: ByLabel) -> Plain:
    """A picture for the page's script."""
    first = next(iter(mine.values()))
    return {
        "png": first.png,
        "things": [[one_line(thing.words), *thing.box] for thing in first.things],
        "runs": [
            {
                "label": one_line(label),
                "grid": runs[label].grid,
                "steps": [
                    [one.epoch, [one_line(word) for word in one.words], "".join(one.weights), one.things, one.shares]
                    for one in picture.captions
                ],
            }
            for label, picture in mine.items()
        ],
    }


def _picture(mine: dict[str, ScoredCaption], names: Names) -> TestedPicture:
    first = next(iter(mine.values()))
    return TestedPicture(
        name_of(names, first.number),
        first.png,
        [("reference", text) for text in first.references],
        [
            Version(
                label,
                compared(one.caption, one.references),
                ("exact · " if one.exact else "") + f"CIDEr {decimal(one.cider)}",
            )
            for label, one in mine.items()
        ],
    )
