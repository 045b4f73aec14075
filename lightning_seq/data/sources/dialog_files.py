"""Dialogs about pictures in files of VisDial's form."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lightning_seq.data.pictures import PictureFile
from lightning_seq.data.sources.dialogs import DialogTable, Turn
from lightning_seq.data.sources.picture_files import mark, not_in_form, picture_root, read_object
from lightning_seq.data.sources.split_files import SplitFiles, decoded
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, Plain, existing_file, fingerprint, parse_json, sha256
from lightning_seq.printable import number_of

FORM = (
    "a json file of VisDial v1.0: {data: {questions, answers, dialogs: [{image_id, caption, dialog: [{question, "
    "answer, answer_options, gt_index}]}]}}"
)
DENSE = "dense annotations of VisDial v1.0: [{image_id, round_id, gt_relevance: [a number for each answer option]}, …]"
_NUMBERED = re.compile(r"(\d+)\.(jpe?g|png|gif|bmp|webp)$", re.IGNORECASE)


@dataclass(frozen=True)
class DialogFiles(SplitFiles, Cut):
    """Files of VisDial v1.0 (Das et al. 2017), one for each split; turns without an answer are left out.

    Optional in them: `caption`, and `answer_options` with `gt_index`, which v1.0 lacks for all turns of its test split
    but the last.

    pictures: the directory of the pictures, or one above it; None: that of the file. A picture's file is named by
              `image_id`, or its name ends with that number, as COCO_train2014_000000378466.jpg does.
    relevances: a file of dense annotations, `[{image_id, round_id, gt_relevance}, …]`, rounds from 1: how relevant
                people found each of a turn's answer options; None: without.
    """

    pictures: str | None = None
    relevances: str | None = None

    advice = f"give data.train=FILE, {FORM}, and data.pictures=DIR"

    def identity(self) -> Plain:
        pictures = {split: [[*mark(picture)] for picture in table.pictures] for split, table in self._tables[0].items()}
        return {"dialogs": self.contents(), "pictures": fingerprint(pictures), "cut": self.shares()} | (
            {"relevances": sha256(self._dense)} if self._dense else {}
        )

    @property
    def _dense(self) -> Path | None:
        return existing_file(self.relevances, "data.relevances") if self.relevances else None

    def load(self) -> Loaded[DialogTable]:
        """Raises UserError, with file and dialog, for a mistake in the files, and for a missing picture."""
        tables, notes = self._tables
        return self.loaded(tables, notes=notes)

    @cached_property
    def _tables(self) -> tuple[dict[str, DialogTable], list[str]]:
        notes = list[str]()
        tables = {split: self._table(path, split, notes) for split, path in self.paths().items()}
        if self._dense:
            named = {image for table in tables.values() for image in table.groups or table.keys or ()}
            if unknown := {image for image, _ in self._relevances} - named:
                notes.append(f"relevances of {number_of(len(unknown), 'picture')} without a dialog left out")
        return tables, notes

    @cached_property
    def _relevances(self) -> dict[tuple[int | str, int], list[float]]:
        """By picture and round, from 1."""
        if self._dense is None:
            return {}
        try:
            rows = parse_json(decoded(self._dense, self.encoding), list)
            found = {(row["image_id"], int(row["round_id"])): row["gt_relevance"] for row in rows}
        except DamagedError as error:
            raise UserError(f"{self._dense} cannot be read ({error}): expected {DENSE}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise not_in_form(self._dense, "VisDial", error, DENSE) from None
        for (image, number), values in found.items():
            if not isinstance(values, list) or not all(_is_relevance(value) for value in values):
                raise UserError(
                    f"{self._dense}, image_id {image}, round {number}: gt_relevance is no list of numbers of at least 0"
                )
        return found

    def _table(self, path: Path, split: str, notes: list[str]) -> DialogTable:
        plain = read_object(path, self.encoding, FORM)
        try:
            data = plain["data"]
            questions, answers = data["questions"], data["answers"]
            dialogs = [
                (one["image_id"], "" if one.get("caption") is None else one["caption"], one["dialog"])
                for one in data["dialogs"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise not_in_form(path, "VisDial", error, FORM) from None
        for name, texts in (("questions", questions), ("answers", answers)):
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise UserError(f"{path}: data.{name} is no list of texts: expected {FORM}")
        find, unanswered = _Pictures(self.pictures, path, str(plain.get("split", split))), 0
        table, images, silent = DialogTable([], [], [], [], tuple(answers)), list[int | str](), 0
        for number, (image, caption, rounds) in enumerate(dialogs):
            where = f"{path}, dialog {number} (image_id {image})"
            if not isinstance(caption, str) or not isinstance(rounds, list):
                raise UserError(f"{where}: expected a caption that is a text, and a list of turns as its dialog")
            silent += not rounds
            turns = []
            for place, turn in enumerate(rounds, 1):
                relevances = self._relevances.get((image, place), ())
                made = _turn(turn, questions, answers, relevances, f"{where}, turn {place}")
                if made is None:  # what follows needs this answer in its history
                    unanswered += len(rounds) - place + 1
                    break
                turns.append(made)
            if turns:
                table.pictures.append(find(image, where))
                table.captions.append(caption)
                table.dialogs.append(turns)
                table.ids.append(number)
                images.append(image)
        if unanswered:
            notes.append(f"{split}: {number_of(unanswered, 'turn')} without an answer left out")
        if silent:
            notes.append(f"{split}: {number_of(silent, 'dialog')} without turns left out")
        if len({*images}) < len(images):  # dialogs about one picture are a group, and numbered
            return replace(table, groups=images)
        return replace(table, keys=images)


def _is_relevance(value: Plain) -> bool:
    return isinstance(value, int | float) and value >= 0


def _turn(
    turn: Plain, questions: Sequence[str], answers: Sequence[str], relevances: Sequence[float], where: str
) -> Turn | None:
    """None for a turn without an answer."""
    if not isinstance(turn, dict) or not _is_place(turn.get("question"), questions):
        raise UserError(f"{where}: expected a question, as its place in data.questions (0 to {len(questions) - 1})")
    options, right, answer = turn.get("answer_options") or [], turn.get("gt_index"), turn.get("answer")
    if not isinstance(options, list) or not all(_is_place(option, answers) for option in options):
        raise UserError(f"{where}: answer_options are not places in data.answers (0 to {len(answers) - 1})")
    if right is not None and not options:
        raise UserError(f"{where}: gt_index is {right!r}, and there are no answer_options: give both, or answer alone")
    if right is not None and not _is_place(right, options):
        raise UserError(f"{where}: gt_index is {right!r}, expected a place in answer_options (0 to {len(options) - 1})")
    if answer is None or answer == -1:
        answer = None if right is None else options[right]
    if answer is None:
        return None
    if not _is_place(answer, answers):
        raise UserError(f"{where}: answer is {answer!r}, expected a place in data.answers (0 to {len(answers) - 1})")
    texts = {answers[option] for option in options}
    if options and (answers[answer] not in texts or (right is not None and answers[options[right]] != answers[answer])):
        raise UserError(f"{where}: the answer {answers[answer]!r} is not the one that answer_options and gt_index name")
    if relevances and len(relevances) != len(options):
        raise UserError(
            f"{where}: data.relevances has {len(relevances)} values, and there are {len(options)} answer_options: "
            "expected one for each"
        )
    return Turn(questions[turn["question"]], answer, options, relevances=relevances)


def _is_place(value: Plain, among: Sequence[object]) -> bool:
    return type(value) is int and 0 <= value < len(among)


class _Pictures:
    """The files of pictures in a directory and below it, by the number at the end of their names.

    split: of VisDial's file: its own pictures have names such as VisualDialog_val2018_000000185565.jpg.
    """

    def __init__(self, directory: str | None, path: Path, split: str) -> None:
        self.root = picture_root(directory, path)
        self.split, self.files = split.lower().rstrip("0123456789"), dict[int, list[Path]]()
        for place, _, names in os.walk(self.root):
            for name in names:
                if numbered := _NUMBERED.search(name):
                    self.files.setdefault(int(numbered[1]), []).append(Path(place) / name)

    def __call__(self, image: Plain, where: str) -> PictureFile:
        if type(image) is not int:
            raise UserError(f"{where}: image_id is {image!r}, expected a whole number")
        files = self.files.get(image, [])
        if len(files) > 1:
            own = [file for file in files if f"_{self.split}" in file.name.lower()]
            files = own or files
        if not files:
            raise UserError(
                f"{where}: no picture in {self.root} has a name that ends with {image}: give their directory as "
                "data.pictures=DIR"
            )
        if len(files) > 1:
            raise UserError(
                f"{where}: {files[0]} and {files[1]} both end with {image}: expected one; give a directory with the "
                "pictures of these files alone as data.pictures=DIR"
            )
        return PictureFile(str(files[0].relative_to(self.root)), files[0])
