"""Questions about pictures: accuracy by kind, and the attention of each look, side by side, as a section of the
dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.attention import LEVELS
from lightning_seq.records.questions import AskedQuestion, AskedQuestions, EpochAnswer, WatchedQuestions
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.report.dashboard.captions import SCALE
from lightning_seq.report.dashboard.page import Cell, Heading, Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.dashboard.tested_pictures import TestedPicture, Version, by_number, different, extremes
from lightning_seq.report.escape import one_line
from lightning_seq.report.formats import decimal, mean_and_std
from lightning_seq.report.predictions import Names, example_names, name_of
from lightning_seq.report.summary import Group, Summary

TASK, MOST_CHOSEN = "visual_questions", 6
BASELINES = {"question": "blind: sees no picture", "picture": "deaf: reads no question"}
"""Small letters below a label, by `task.fusion`."""

Asked = dict[str, AskedQuestions]


def questions(
    page: Page, runs: list[tuple[Path, Record]], tested: list[tuple[Path, Record]], summary: Summary
) -> Markup:
    """For each data set a table, and the questions of the first seed of each label. tested: the runs whose test results
    are shown."""
    found, wrong = first_questions(tested)
    by_epoch, unreadable = read_artifacts(first_runs(runs, "questions"), "questions", WatchedQuestions.read)
    of_test = first_runs(tested, "test_questions")

    def part(group: Group) -> Markup:
        if group.task != TASK:
            return Markup()
        mine = {record.label: content for record, content in found if group.holds(record)}
        names = example_names([run for run in of_test if group.holds(run[1])])
        fusions = {record.label: _fusion(record) for _, record in tested if group.holds(record)}
        shown = {label: mine[label] for label in [label for label in group.labels if label in mine][:MOST_LABELS]}
        watched = {record.label: content for record, content in by_epoch if group.holds(record)}
        return _group(page, group, shown, fusions, next(iter(names.values()), {})) + _watched(page, group, watched)

    parts = of_groups(summary, part)
    return page.section("Questions about pictures", "questions", parts, wrong=[*wrong, *unreadable])


def first_questions(runs: list[tuple[Path, Record]]) -> tuple[list[tuple[Record, AskedQuestions]], list[str]]:
    """The questions of each label's first finished seed, and notes on unreadable files."""
    return read_artifacts(first_runs(runs, "test_questions"), "test_questions", AskedQuestions.read)


def chosen_questions(asked: Mapping[str, AskedQuestions]) -> list[dict[str, AskedQuestion]]:
    """Some questions that all runs have, by label, of all kinds in turn."""
    of_kind: dict[str, list[int]] = {}
    pictures = by_number({label: content.questions for label, content in asked.items()})
    for number, mine in sorted(pictures.items()):
        first = next(iter(mine.values()))
        if first.shared:
            of_kind.setdefault(first.kind, []).append(number)
    turns = [(turn, kind, number) for kind, mine in of_kind.items() for turn, number in enumerate(mine)]
    return [pictures[number] for _, _, number in sorted(turns)[:MOST_CHOSEN]]


def _fusion(record: Record) -> str:
    task = record.config.get("task")
    return str(task.get("fusion", "")) if isinstance(task, dict) else ""


def _group(page: Page, group: Group, asked: Asked, fusions: dict[str, str], names: Names) -> Markup:
    pictures = {label: content.questions for label, content in asked.items()}
    chosen = chosen_questions(asked)
    differ = different(pictures, lambda one: one.answer, lambda one: one.truth)
    ends = extremes(pictures, lambda one: (one.truth,))
    numbered = by_number(pictures)
    needed = dict.fromkeys(_number(mine) for mine in chosen)
    needed |= dict.fromkeys(_number(mine) for mine in differ)
    needed |= dict.fromkeys(one.number for _, kinds in ends for mine in kinds.values() for one in mine)
    places = {number: place for place, number in enumerate(needed)}
    listed = [_plain(numbered[number], asked, place < len(chosen)) for number, place in places.items()]
    drawn = page.map({"levels": LEVELS, "epochs": [], "unit": "look", "pictures": listed}) if listed else ""

    def picture(mine: Mapping[str, AskedQuestion]) -> TestedPicture:
        first, place = next(iter(mine.values())), places[_number(mine)]
        labels = list(numbered[first.number])
        facts = [("question", first.question), ("true answer", first.target)]
        return TestedPicture(
            name_of(names, first.number) + (f" · {first.kind}" if first.kind else ""),
            first.png,
            facts,
            [
                Version(
                    label,
                    [(one.answer, one.is_right)],
                    probabilities(one),
                    (drawn, place, labels.index(label)) if one.weights else None,
                )
                for label, one in mine.items()
            ],
        )

    return draw(
        "questions",
        labels=group.labels,
        **_table(group, asked, fusions),
        map=drawn,
        scale=SCALE if any(content.grid for content in asked.values()) else (),
        chosen=[
            (
                _title(mine),
                list(mine),
                max(len(one.weights) for one in mine.values()),
                [(one.answer, one.is_right, probabilities(one)) for one in mine.values()],
            )
            for mine in chosen
        ],
        different=[picture(mine) for mine in differ],
        extremes=[
            (label, {kind: [picture({label: one}) for one in mine] for kind, mine in kinds.items()})
            for label, kinds in ends
        ],
    )


def _watched(page: Page, group: Group, found: dict[str, WatchedQuestions]) -> Markup:
    """Answers and looks by epoch."""
    runs = {label: found[label] for label in [label for label in group.labels if label in found][:MOST_LABELS]}
    asked = by_number({label: content.questions for label, content in runs.items()})
    epochs = sorted({one.epoch for mine in asked.values() for question in mine.values() for one in question.answers})
    if not epochs:
        return Markup()
    listed = [
        {
            "png": next(iter(mine.values())).png,
            "things": [],
            "runs": [
                {
                    "label": one_line(label),
                    "grid": runs[label].grid,
                    "steps": [
                        [one.epoch, looks(one), "".join(one.weights), [], [], _said(one)] for one in question.answers
                    ],
                }
                for label, question in mine.items()
                if question.answers
            ],
        }
        for mine in asked.values()
    ]
    return draw(
        "question_epochs",
        labels=group.labels,
        map=page.map({"levels": LEVELS, "epochs": epochs, "unit": "look", "pictures": listed}),
        epochs=epochs,
        scale=SCALE if any(run.grid for run in runs.values()) else (),
        questions=[
            (
                f"{one_line(first.question)} → {one_line(first.target)}",
                [label for label, question in mine.items() if question.answers],
                max(len(one.weights) for question in mine.values() for one in question.answers),
            )
            for mine in asked.values()
            if (first := next(iter(mine.values())))
        ],
    )


def _said(one: EpochAnswer) -> str:
    return f"{one_line(one.answer)} {100 * one.probability:.0f} %"


def _number(mine: Mapping[str, AskedQuestion]) -> int:
    return next(iter(mine.values())).number


def _title(mine: Mapping[str, AskedQuestion]) -> tuple[str, str]:
    """The question with its true answer, and its kind."""
    first = next(iter(mine.values()))
    return f"{one_line(first.question)} → {one_line(first.target)}", first.kind


def probabilities(one: AskedQuestion) -> str:
    """`63 % · true answer 12 %`."""
    own = f"{100 * one.probability:.0f} %"
    return own if one.is_right else f"{own} · true answer {100 * one.truth:.0f} %"


def _plain(mine: Mapping[str, AskedQuestion], asked: Asked, with_picture: bool) -> Plain:
    """A question for the page's script. with_picture: else it is in the page's text."""
    return {
        "png": next(iter(mine.values())).png if with_picture else "",
        "things": [],
        "runs": [
            {
                "label": one_line(label),
                "grid": asked[label].grid,
                "steps": [[0, looks(one), "".join(one.weights), [], []]],
            }
            for label, one in mine.items()
        ],
    }


def looks(one: AskedQuestion | EpochAnswer) -> list[str]:
    return [f"look {number}" for number in range(1, len(one.weights) + 1)]


def _table(group: Group, asked: Asked, fusions: dict[str, str]) -> dict[str, object]:
    """Accuracy of all questions and of each kind, of shuffled words, and by chance."""
    first = next(iter(asked.values()), None)
    kinds = {kind.name: kind for kind in first.kinds} if first else {}
    metrics = {"all questions": "test/accuracy", **{name: f"test/accuracy_{name}" for name in kinds}}
    shuffled = {"words in random order": "test/accuracy_shuffled"}
    rows = []
    for row in group.rows:
        values = [row.metric(name) for name in (metrics | shuffled).values()]
        if values[0].known:
            cells = [Cell(mean_and_std(value), value.mean) for value in values]
            rows.append((row.label, BASELINES.get(fusions.get(row.label, ""), ""), cells))
    heads = [Heading("label", "text"), *(Heading(name, first="down") for name in (metrics | shuffled))]
    known = [first.chance, *(kind.chance for kind in kinds.values())] if first else []
    counts = [first.n, *(kind.n for kind in kinds.values())] if first else []
    missing = [name for fusion, name in (("question", "blind"), ("picture", "deaf")) if fusion not in fusions.values()]
    return {
        "head": heads if rows else [],
        "rows": rows,
        "chance": [decimal(value) for value in known],
        "counts": [f"{count:,}" for count in counts],
        "missing": missing,
    }
