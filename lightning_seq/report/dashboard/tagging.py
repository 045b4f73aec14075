"""Scores of taggers by class and their worst sentences, as sections of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from markupsafe import Markup

from lightning_seq.records.record import Record
from lightning_seq.records.tagging import ClassScore, Tagged
from lightning_seq.report.dashboard.chart_style import PALETTE
from lightning_seq.report.dashboard.page import Cell, Heading, Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.formats import decimal, mean_and_std, whole
from lightning_seq.report.predictions import Names, name_of
from lightning_seq.report.summary import Group, Statistic, Summary

MOST_ROWS, MOST_SENTENCES, MOST_TOKENS = 80, 20, 80


Tagging = list[tuple[Record, Tagged]]
Scores = list[tuple[Record, dict[str, ClassScore]]]


def classes(page: Page, tagging: Tagging, summary: Summary) -> Markup:
    """A table for each data set: classes, the most frequent first, against labels."""

    def part(group: Group) -> Markup:
        mine = [(record, tagged) for record, tagged in tagging if group.holds(record)]
        tables = [
            _class_table(group, [(record, tagged.spans) for record, tagged in mine], "kind of span"),
            _class_table(group, [(record, tagged.scores) for record, tagged in mine], "tag"),
        ]
        return draw("classes", tables=[table for table in tables if table])

    return page.section("Classes", "classes", of_groups(summary, part))


def _class_table(group: Group, scores: Scores, kind: str) -> dict[str, object] | None:
    support: dict[str, int] = {}
    for _, by_class in scores:
        for name, score in by_class.items():
            if score.support:
                support[name] = max(support.get(name, 0), score.support)
    if not support:
        return None
    names = sorted(support, key=lambda name: -support[name])
    scored = {record.label for record, by_class in scores if by_class}
    labels = [label for label in group.labels if label in scored]
    rows = []
    for name in names[:MOST_ROWS]:
        cells = [Cell(whole(support[name]), support[name])]
        for label in labels:
            cells.append(_score(
                {record.seed: mine[name] for record, mine in scores if record.label == label and name in mine}
            ))  # fmt: skip
        rows.append((name, cells))
    head = [Heading(kind, "text"), *(Heading(name, first="down") for name in ("support", *labels))]
    return {"head": head, "rows": rows, "left_out": len(names) - len(rows)}


def _score(scores: dict[int, ClassScore]) -> Cell:
    precision, recall, f1 = (
        Statistic({seed: getattr(score, part) for seed, score in scores.items()})
        for part in ("precision", "recall", "f1")
    )
    below = f"P {decimal(precision.mean)}, R {decimal(recall.mean)}" if scores else ""
    return Cell(mean_and_std(f1), f1.mean, below)


def worst_sentences(
    page: Page,
    tagging: Tagging,
    summary: Summary,
    names: Mapping[tuple[str, str, int], Names] = MappingProxyType({}),
) -> Markup:
    """The sentences of one seed of each label, folded away but for the first label of a data set.

    names: by label and seed, the names of the examples in their source.
    """

    def part(group: Group) -> Markup:
        runs: dict[str, tuple[Record, Tagged]] = {}
        for record, tagged in sorted(tagging, key=lambda item: item[0].seed):
            if tagged.sentences and group.holds(record):
                runs.setdefault(record.label, (record, tagged))
        shown = [(index, *runs[label]) for index, label in enumerate(group.labels) if label in runs]
        return draw(
            "worst_sentences",
            sentences=MOST_SENTENCES,
            tokens=MOST_TOKENS,
            name_of=name_of,
            runs=[
                (index, f"{record.label}, seed {record.seed}", tagged, colours_of(tagged.labels, tagged.usual),
                 names.get((record.data, record.label, record.seed), {}))
                for index, record, tagged in shown
            ],
        )  # fmt: skip

    return page.section("Worst sentences", "sentences", of_groups(summary, part))


def colours_of(tags: Sequence[str], usual: str | None) -> dict[str, int]:
    """The number of the colour of each tag but the usual one: tags of one kind of span have one colour."""
    kinds = list(dict.fromkeys(_kind(tag) for tag in tags if tag != usual))
    return {tag: kinds.index(_kind(tag)) % PALETTE for tag in tags if _kind(tag) in kinds}


def _kind(tag: str) -> str:
    """The kind of span that a tag marks, or the tag: the colours are of kinds."""
    return tag[2:] if tag[1:2] == "-" and tag[0] in "BIESLU" else tag
