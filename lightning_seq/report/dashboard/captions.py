"""Pictures with their captions and the attention of each word, side by side, as a section of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.attention import LEVELS
from lightning_seq.records.captions import CaptionedPicture, Captions, ScoredCaption, ScoredCaptions, fitted
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import one_line
from lightning_seq.report.predictions import Names, example_names, name_of
from lightning_seq.report.summary import Group, Summary

MOST_EXTREME, MOST_DIFFERENT, LEAST_EXTREME = 3, 6, 1
_WHOLE_EXTREME_LABELS = 4
"""Labels up to which each has `MOST_EXTREME` worst and best pictures; of more labels each has `LEAST_EXTREME`."""
_SCALE = (0.01, 0.1, 0.25, 0.5, 1.0)

ByLabel = dict[str, Captions]
Scores = dict[str, ScoredCaptions]
Pieces = list[tuple[str, bool]]
"""The words of a caption, and whether the reference has them at the same place."""


class Version(NamedTuple):
    """The caption of a label."""

    label: str
    pieces: Pieces
    exact: bool
    cider: float


class TestedPicture(NamedTuple):
    """name: of the example."""

    name: str
    png: str
    references: tuple[str, ...]
    versions: list[Version]


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
    return draw(
        "captions",
        labels=group.labels,
        map=page.map({"levels": LEVELS, "epochs": epochs, "pictures": listed}),
        epochs=epochs,
        scale=_SCALE if any(run.grid for run in runs.values()) else (),
        pictures=[
            (_title(next(iter(mine.values()))), list(mine), max(map(_longest, mine.values())))
            for mine in pictures.values()
        ],
        different=_different(scores, names),
        extremes=_extremes(scores, names),
    )


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
        "references": [one_line(text) for text in first.references],
        "things": [[one_line(thing.words), *thing.box] for thing in first.things],
        "captions": [
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


def _different(scores: Scores, names: Names) -> list[TestedPicture]:
    """Pictures that all runs have, and to which labels give different captions: the largest distances first."""
    if len(scores) < 2:
        return []
    shared: dict[int, dict[str, ScoredCaption]] = {}
    for label, content in scores.items():
        for picture in content.pictures:
            if picture.shared:
                shared.setdefault(picture.number, {})[label] = picture
    found = [mine for mine in shared.values() if len(mine) > 1 and len({one.caption for one in mine.values()}) > 1]
    found.sort(key=lambda mine: (-_distance(mine), next(iter(mine.values())).number))
    return [_picture(mine, names) for mine in found[:MOST_DIFFERENT]]


def _distance(mine: dict[str, ScoredCaption]) -> float:
    values = [one.cider for one in mine.values()]
    return max(values) - min(values)


def _extremes(scores: Scores, names: Names) -> list[tuple[str, list[tuple[str, list[TestedPicture]]]]]:
    """Of each label its worst and its best pictures."""
    most = MOST_EXTREME if len(scores) <= _WHOLE_EXTREME_LABELS else LEAST_EXTREME
    found = []
    for label, content in scores.items():
        order = sorted(content.pictures, key=lambda one: (one.cider, -(one.loss or 0.0)))
        worst, best = order[:most], order[most:][-most:][::-1]
        kinds = {"Worst": worst, "Best": best}
        found.append((label, [(kind, [_picture({label: one}, names) for one in mine]) for kind, mine in kinds.items()]))
    return found


def _picture(mine: dict[str, ScoredCaption], names: Names) -> TestedPicture:
    first = next(iter(mine.values()))
    versions = [Version(label, list(_compared(one)), one.exact, one.cider) for label, one in mine.items()]
    return TestedPicture(name_of(names, first.number), first.png, first.references, versions)


def _compared(one: ScoredCaption) -> Iterator[tuple[str, bool]]:
    """The words of the caption in pieces, against the reference with the most words in common."""
    words = one.caption.split()
    if not one.references:
        yield one.caption, True
        return
    matchers = [SequenceMatcher(None, reference.split(), words, autojunk=False) for reference in one.references]
    for kind, _, _, first, last in max(matchers, key=SequenceMatcher.ratio).get_opcodes():
        if first < last:
            yield " ".join(words[first:last]), kind == "equal"
