"""Dialogs about pictures, and their reading from the columns of a public set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from lightning_seq.data.pictures import Picture, PictureFile
from lightning_seq.data.sources.captions import picture_of, undecoded
from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns, names_of, texts_of
from lightning_seq.data.sources.keys import NameColumns
from lightning_seq.data.sources.picture_files import is_inside
from lightning_seq.data.sources.table import Cut, Examples, Keys, Loaded, Source
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.errors import UserError
from lightning_seq.files import Plain

MOST_CANDIDATES = 100
"""Questions without candidate answers of their own have all answers of the train split, if those are no more."""


class Turn(NamedTuple):
    """answer, candidates: places in the table's `answers`; kind: of the question, or empty; relevances: of the
    candidates, each at least 0; empty without."""

    question: str
    answer: int
    candidates: Sequence[int] = ()
    kind: str = ""
    relevances: Sequence[float] = ()


@dataclass(frozen=True)
class DialogTable(Examples):
    """Dialogs about pictures: the examples of one split.

    pictures: of each dialog.
    captions: of each picture, known before the first question; an empty text for a picture without one.
    dialogs:  the turns of each, in order.
    ids:      of the source: rows.
    answers:  the texts of all answers and candidates.
    keys:     the values of the user's own column of ids, or None.
    groups:   the values of the user's own column of groups, or None.
    """

    pictures: list[Picture]
    captions: list[str]
    dialogs: list[list[Turn]]
    ids: list[int]
    answers: tuple[str, ...]
    keys: Keys | None = None
    groups: Keys | None = None


DialogSource: TypeAlias = Source[Loaded[DialogTable] | Loaded[QuestionTable]]
"""Questions are dialogs of one turn."""


def dialogs_of(loaded: Loaded[DialogTable] | Loaded[QuestionTable]) -> Loaded[DialogTable]:
    """The dialogs; of questions, dialogs of one turn, whose candidates are all answers of the train split."""
    tables: dict[str, DialogTable] = {}
    known: list[str] | None = None
    for split, table in loaded.tables.items():
        if isinstance(table, DialogTable):
            tables[split] = table
            continue
        known = sorted(set(table.answers)) if known is None else known
        answers = tuple(dict.fromkeys([*known, *table.answers]))
        numbers = {text: number for number, text in enumerate(answers)}
        candidates = range(len(known)) if 2 <= len(known) <= MOST_CANDIDATES else range(0)
        kinds = table.kinds or [""] * len(table)
        turns = [
            [Turn(question, numbers[answer], candidates, kind)]
            for question, answer, kind in zip(table.questions, table.answers, kinds, strict=True)
        ]
        captions = [""] * len(table)
        tables[split] = DialogTable(table.pictures, captions, turns, table.ids, answers, table.keys, table.groups)
    return Loaded(tables, loaded.classes, loaded.revision, loaded.notes)


@dataclass(frozen=True)
class DialogColumns(NameColumns, Reading[Loaded[DialogTable]], Cut):
    """Reads dialogs without candidate answers.

    picture_column: of pictures (`datasets.Image`), or of their files in the directory `pictures`.
    caption_column: of texts; None: without captions.
    dialog_column:  of lists of turns, each a list of a question and its answer.
    """

    picture_column: str = "image"
    caption_column: str | None = "caption"
    dialog_column: str = "dialog"
    pictures: str | None = None

    def to_plain(self) -> Plain:
        return {
            "columns": [self.picture_column, self.caption_column, self.dialog_column, self.pictures],
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[DialogTable]:
        """Raises UserError for a missing split or column, and for a value that is no picture, text or dialog."""
        tables = {split: self._table(rows, place) for split, rows, place in self.chosen(sets, name)}
        return self.loaded(tables, revision=revision)

    def _table(self, rows: ColumnRows, name: str) -> DialogTable:
        columns = {"picture_column": self.picture_column, "dialog_column": self.dialog_column}
        check_columns(rows, columns, name)
        pictures: list[Picture] = [*self._pictures(rows, name)]
        numbers, dialogs = dict[str, int](), list[list[Turn]]()
        for row, turns in enumerate(rows[self.dialog_column]):
            if not isinstance(turns, list) or not turns or not all(map(_is_pair, turns)):
                raise UserError(
                    f"{name}, row {row}: {self.dialog_column!r} is no dialog: expected a list of turns, each a list of "
                    "a question and its answer (data.dialog_column)"
                )
            dialogs.append([Turn(question, numbers.setdefault(answer, len(numbers))) for question, answer in turns])
        captions = texts_of(rows, "caption_column", self.caption_column, name) if self.caption_column else None
        ids = list(range(len(dialogs)))
        keys, groups = names_of(rows, self, name, ids)
        return DialogTable(pictures, captions or [""] * len(ids), dialogs, ids, tuple(numbers), keys, groups)

    def _pictures(self, rows: ColumnRows, name: str) -> Iterator[PictureFile]:
        if getattr(rows.features[self.picture_column], "dtype", None) != "string":
            for row, cell in enumerate(undecoded(rows, self.picture_column, name)):
                yield picture_of(cell, f"{name}, row {row}", self.picture_column)
            return
        if self.pictures is None:
            raise UserError(
                f"{name}: {self.picture_column!r} names files: give the directory of the pictures as data.pictures=DIR"
            )
        root = Path(self.pictures).expanduser()
        for row, file in enumerate(rows[self.picture_column]):
            if not isinstance(file, str) or not is_inside(root, file):
                raise UserError(f"{name}, row {row}: the picture is {file!r}: expected a file in {root}")
            yield PictureFile(f"{name}, row {row}, {file}", root / file)


def _is_pair(turn: object) -> bool:
    return isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) and text.strip() for text in turn)
