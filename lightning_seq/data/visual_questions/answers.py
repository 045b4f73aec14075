"""Which answers a model chooses from, and how far annotators agree with each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lightning_seq.data.sources.table import Loaded, empty_split
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.data.visual_questions.settings import NORMALISERS, QuestionSettings
from lightning_seq.errors import UserError
from lightning_seq.printable import number_of

NOTHING = -1
"""In the padding of `[N, M]` ids of answers."""


def choose_answers(
    name: str, loaded: Loaded[QuestionTable], settings: QuestionSettings, report: list[str]
) -> tuple[dict[str, QuestionTable], list[str]]:
    """The splits with normalised answers, and the answers that a model chooses from, sorted.

    Training questions with another answer are left out. Other questions with another answer stay; they count as wrong.
    report: takes a line for each of both.

    Raises UserError for an empty split, for a train split with one answer, and for choices without the answer.
    """
    tables = {split: _normalised(table, settings.normalise_answers) for split, table in loaded.tables.items()}
    for split, table in tables.items():
        if not len(table):
            raise empty_split(name, split, "a question")
        _check_choices(table, f"{name}, {split} split, example")
    counts = Counter(tables["train"].answers)
    chosen = sorted(sorted(counts, key=lambda answer: (-counts[answer], answer))[: settings.top_answers])
    if len(chosen) < 2:
        raise UserError(f"{name}: the train split has one answer, {chosen[0]!r}: expected at least two")
    known = set(chosen)
    for split, table in tables.items():
        rows = [row for row, answer in enumerate(table.answers) if answer in known]
        if not (others := len(table) - len(rows)):
            continue
        share = f"{number_of(others, 'question')} ({others / len(table):.1%})"
        if split == "train":
            tables[split] = table.take(rows)
            report.append(f"train: {share} without one of the {len(chosen):,} most frequent answers left out")
        else:
            report.append(f"{split}: {share} with an answer that the model cannot give: counted as wrong")
    return tables, chosen


def _normalised(table: QuestionTable, normaliser: str) -> QuestionTable:
    change = NORMALISERS[normaliser]
    many = {name: getattr(table, name) for name in ("annotators", "choices")}
    changed = {name: lists and [[*map(change, texts)] for texts in lists] for name, lists in many.items()}
    answers, annotators = [*map(change, table.answers)], changed["annotators"]
    if annotators:  # different texts may have one form, which is then the most frequent answer
        answers = [_most_frequent(answer, own) for answer, own in zip(answers, annotators, strict=True)]
    return replace(table, answers=answers, **changed)


def _most_frequent(answer: str, annotators: Sequence[str]) -> str:
    """The most frequent answer of annotators; of several, or of none of theirs, the source's own one."""
    counts = Counter(annotators)
    return answer if counts[answer] in (0, max(counts.values())) else counts.most_common(1)[0][0]


def _check_choices(table: QuestionTable, place: str) -> None:
    for row, answer, choices in zip(table.ids, table.answers, table.choices or (), strict=False):
        if choices and answer not in choices:
            raise UserError(f"{place} {row}: the choices {', '.join(choices[:12])} lack the answer {answer!r}")
        if choices and len(set(choices)) < 2:
            raise UserError(f"{place} {row}: {answer!r} is the only choice: expected at least two different ones")


def agreement(count: int, annotators: int) -> float:
    """The VQA accuracy of an answer that `count` of the annotators gave: min(n / 3, 1), n of all annotators but one,
    the mean over the one that is left out (Antol et al. 2015, sec. 3)."""
    with_one_less = count * min((count - 1) / 3, 1) + (annotators - count) * min(count / 3, 1)
    return with_one_less / annotators


def agreements(annotators: Sequence[Sequence[str]] | None, numbers: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """`[N, M]` ids of the answers that annotators gave and that a model can give, and `[N, M]` the agreement with each.
    M is 0 without annotators."""
    counted = [Counter(answers) for answers in annotators or ()]
    scores = [
        {numbers[answer]: agreement(n, counts.total()) for answer, n in counts.items() if answer in numbers}
        for counts in counted
    ]
    least = 1 if annotators else 0
    ids = padded([[*one] for one in scores], NOTHING, np.int64, least)
    return ids, padded([[*one.values()] for one in scores], 0, np.float32, least)


def choice_ids(choices: Sequence[Sequence[str]] | None, numbers: Mapping[str, int]) -> np.ndarray:
    """`[N, M]` ids of the different choices of each question; those that a model cannot give have the number of the
    answers that it can."""
    different = [dict.fromkeys(one) for one in choices or ()]
    return padded([[numbers.get(text, len(numbers)) for text in one] for one in different], NOTHING, np.int64)


def padded(rows: Sequence[Sequence[float]], value: float, kind: type[np.generic], least: int = 0) -> np.ndarray:
    """`[N, M]`, M the length of the longest row, at least `least`. value: of the padding."""
    array = np.full((len(rows), max(max(map(len, rows), default=0), least)), value, dtype=kind)
    for row, values in enumerate(rows):
        array[row, : len(values)] = values
    return array
