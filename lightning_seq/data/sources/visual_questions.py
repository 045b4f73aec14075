"""Questions about pictures, and their reading from the columns of a public set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lightning_seq.data.pictures import Picture
from lightning_seq.data.sources.captions import picture_of, undecoded
from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns, names_of, texts_of
from lightning_seq.data.sources.keys import NameColumns
from lightning_seq.data.sources.table import Cut, Examples, Keys, Loaded, Source
from lightning_seq.errors import UserError
from lightning_seq.files import Plain


@dataclass(frozen=True)
class QuestionTable(Examples):
    """Questions about pictures and their answers: the examples of one split.

    pictures: of each question; several questions may have one picture.
    answers:  of each question; the most frequent one, if several annotators answered.
    kinds:    of each question, such as `count`; None where they are unknown.
    ids:      of the source: rows, lines.
    keys:     the values of the user's own column of ids, or None.
    groups:   the values of the user's own column of groups, such as the number of the picture, or None.
    annotators: the answers of all annotators of each question, or None.
    choices:  the answers to choose from of each question, empty for a question without; None: no question has choices.
    """

    pictures: list[Picture]
    questions: list[str]
    answers: list[str]
    ids: list[int]
    kinds: list[str] | None = None
    keys: Keys | None = None
    groups: Keys | None = None
    annotators: list[list[str]] | None = None
    choices: list[list[str]] | None = None

    @property
    def strata(self) -> Sequence[str]:
        return self.answers


QuestionSource: TypeAlias = Source[Loaded[QuestionTable]]


@dataclass(frozen=True)
class QuestionColumns(NameColumns, Reading[Loaded[QuestionTable]], Cut):
    """Reads questions about pictures.

    picture_column: of pictures (`datasets.Image`).
    question_column: of texts; answer_column: of names of answers.
    kind_column:    of the kinds of questions; None: without kinds.
    annotators_column: of the answers of all annotators, each a text or `{answer: …}`; None: there is one answer.
    choices_column: of lists of answers to choose from; None: without choices.
    """

    picture_column: str = "image"
    question_column: str = "question"
    answer_column: str = "answer"
    kind_column: str | None = None
    annotators_column: str | None = None
    choices_column: str | None = None

    def to_plain(self) -> Plain:
        return {
            "columns": [self.picture_column, self.question_column, self.answer_column, self.kind_column],
            "lists": [self.annotators_column, self.choices_column],
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[QuestionTable]:
        """Raises UserError for a missing split or column, and for a value that is no picture, text or answer."""
        tables = {split: self._table(rows, place) for split, rows, place in self.chosen(sets, name)}
        return self.loaded(tables, revision=revision)

    def _table(self, rows: ColumnRows, name: str) -> QuestionTable:
        check_columns(rows, {"picture_column": self.picture_column}, name)
        cells = undecoded(rows, self.picture_column, name)
        pictures = [picture_of(cell, f"{name}, row {row}", self.picture_column) for row, cell in enumerate(cells)]
        ids = list(range(len(pictures)))
        keys, groups = names_of(rows, self, name, ids)
        return QuestionTable(
            [*pictures],
            texts_of(rows, "question_column", self.question_column, name),
            _names(rows, "answer_column", self.answer_column, name),
            ids,
            _names(rows, "kind_column", self.kind_column, name) if self.kind_column else None,
            keys,
            groups,
            self._lists(rows, "annotators_column", name),
            self._lists(rows, "choices_column", name),
        )

    def _lists(self, rows: ColumnRows, setting: str, name: str) -> list[list[str]] | None:
        """The lists of texts in the column that `data.SETTING` names."""
        if (column := getattr(self, setting)) is None:
            return None
        check_columns(rows, {setting: column}, name)
        lists = []
        for row, cell in enumerate(rows[column]):
            values = cell if isinstance(cell, list) else [None] * (cell is not None)
            answers = [one.get("answer") if isinstance(one, dict) else one for one in values]
            texts = [answer for answer in answers if isinstance(answer, str)]
            if len(texts) < len(answers):
                raise UserError(f"{name}, row {row}: {column!r} is no list of texts: give data.{setting}")
            lists.append(texts)
        return lists


def _names(rows: ColumnRows, setting: str, column: str, name: str) -> list[str]:
    """The names in a column of names or of numbers of classes."""
    check_columns(rows, {setting: column}, name)
    classes, names = getattr(rows.features[column], "names", None), []
    for row, value in enumerate(rows[column]):
        known = isinstance(value, int) and classes and 0 <= value < len(classes)
        text = classes[value] if known else value  # type: ignore[index]
        if not isinstance(text, str | int) or isinstance(text, bool) or not str(text).strip():
            raise UserError(f"{name}, row {row}: {column!r} is {value!r}, expected a name (data.{setting})")
        names.append(str(text))
    return names
