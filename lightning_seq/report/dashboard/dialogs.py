"""Dialogs about pictures: the turns, and the answer of each label, as a section of the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.dialogs import AnsweredDialog, AnsweredDialogs, AnsweredTurn
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.sentences import first_runs
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary


class ShownTurn(NamedTuple):
    """answers: of each label: its name, its answer, whether it is right, and the rank of the true answer."""

    turn: AnsweredTurn
    answers: list[tuple[str, str, bool, str]]


def dialogs(page: Page, tested: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """The dialogs of the first seed of each label. tested: the runs whose test results are shown."""
    found, wrong = read_artifacts(first_runs(tested, "test_dialogs"), "test_dialogs", AnsweredDialogs.read)

    def part(group: Group) -> Markup:
        mine = {record.label: content for record, content in found if group.holds(record)}
        shown = {label: mine[label] for label in [label for label in group.labels if label in mine][:MOST_LABELS]}
        if not shown:
            return Markup()
        first = next(iter(shown.values()))
        return draw("dialogs", labels=group.labels, dialogs=[(one, shown_turns(one, shown)) for one in first.dialogs])

    return page.section("Dialogs about pictures", "dialogs", of_groups(summary, part), wrong=wrong)


def shown_turns(dialog: AnsweredDialog, found: dict[str, AnsweredDialogs]) -> list[ShownTurn]:
    """The turns of a dialog with the answers of all labels to the same questions."""
    own = {
        label: dict(enumerate(one.turns))
        for label, content in found.items()
        for one in content.dialogs
        if one.number == dialog.number
    }
    return [
        ShownTurn(
            turn,
            [
                (label, answered.answer, answered.is_right, _rank(answered, found[label].candidates))
                for label, turns in own.items()
                if (answered := turns.get(place)) is not None and answered.question == turn.question
            ],
        )
        for place, turn in enumerate(dialog.turns)
    ]


def _rank(turn: AnsweredTurn, candidates: int) -> str:
    return "" if turn.rank is None else f"true answer: rank {turn.rank} of {candidates}"
