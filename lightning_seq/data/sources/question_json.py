"""Questions about pictures in the JSON files of VQA (Antol et al. 2015, Goyal et al. 2017) and CLEVR (Johnson et al.
2017)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lightning_seq.data.sources.picture_files import not_in_form, only_text
from lightning_seq.errors import UserError, one_of
from lightning_seq.files import Plain
from lightning_seq.printable import number_of

KINDS = ("answer_type", "question_type")
PICTURES = {"mscoco": "COCO_{subset}_{number:012d}.jpg", "abstract_v002": "abstract_v002_{subset}_{number:012d}.png"}
"""The names of the pictures of VQA, by `data_type`."""
Read = tuple[Iterator["Asked"], str]
"""The questions of a file, and the folder of their pictures."""


class Asked(NamedTuple):
    """A question about a picture.

    line:    of the file, or the number of the question in it.
    picture: the name of its file.
    answers: of each annotator; one if there were none.
    answer:  the most frequent answer; None: it is to be counted.
    """

    line: int
    picture: str
    question: str
    answers: Sequence[str]
    answer: str | None = None
    kind: str | None = None
    choices: Sequence[str] = ()
    id: object = None
    group: object = None


def text_of(value: object, what: str) -> str:
    """A text, or a number as a text. what: for people. Raises UserError for another value."""
    finite = not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not finite:
        raise UserError(f"{what} is {str(value)[:60]}: expected a text (or a finite number)")
    return str(value)


def is_vqa(plain: dict[str, Plain]) -> bool:
    return "question_id" in _first(plain) and "image_id" in _first(plain)


def is_clevr(plain: dict[str, Plain]) -> bool:
    return "image_filename" in _first(plain)


def _first(plain: dict[str, Plain]) -> dict[str, Plain]:
    questions = plain.get("questions")
    return questions[0] if isinstance(questions, list) and questions and isinstance(questions[0], dict) else {}


def vqa(
    plain: dict[str, Plain], annotations: dict[str, Plain], path: Path, file: Path, kind: str, notes: list[str]
) -> Read:
    """The questions of a file and their annotations in another. kind: one of `KINDS`; notes: takes further lines.

    Raises UserError for another form, for a question without an annotation, and for one that is there twice.
    """
    one_of("data.kind_column", kind, KINDS)
    subset, family = str(plain.get("data_subtype") or ""), str(plain.get("data_type") or "mscoco")
    return _vqa(plain, annotations, path, file, kind, notes, _PictureNames(family, subset, path)), subset


class _PictureNames(NamedTuple):
    family: str
    subset: str
    path: Path

    def __call__(self, number: Plain) -> str:
        if isinstance(number, str):
            return number
        if self.family not in PICTURES or not self.subset:
            raise UserError(
                f"{self.path}: data_type {self.family!r} and data_subtype {self.subset!r} name no picture: expected "
                f"{' or '.join(PICTURES)}, and a subset such as val2014; or image_id as the name of a file"
            )
        if type(number) is not int:
            raise UserError(f"{self.path}: image_id is {number!r}: expected a whole number, or the name of a file")
        return PICTURES[self.family].format(subset=self.subset, number=number)


def _vqa(
    plain: dict[str, Plain],
    annotations: dict[str, Plain],
    path: Path,
    file: Path,
    kind: str,
    notes: list[str],
    name: _PictureNames,
) -> Iterator[Asked]:
    try:
        answered = dict[Plain, dict[str, Plain]]()
        for one in annotations["annotations"]:
            if one["question_id"] in answered:
                raise UserError(f"{file}: question_id {one['question_id']} has two annotations: expected one")
            answered[one["question_id"]] = one
    except (KeyError, TypeError) as error:
        raise not_in_form(file, "VQA", error, "annotations with question_id and answers") from None
    asked = set()
    for row, one in enumerate(plain["questions"]):
        try:
            number = one["question_id"]
            if number in asked:
                raise UserError(f"{path}, question {row}: question_id {number} is there twice: expected it once")
            asked.add(number)
            if number not in answered:
                raise UserError(
                    f"{path}, question {row}: question_id {number} has no annotation in {file}: expected one for "
                    "every question"
                )
            own, what = answered[number], f"{file}, question_id {number}: the answer"
            answers = [text_of(answer["answer"], what) for answer in own.get("answers") or ()]
            best = own.get("multiple_choice_answer") or None
            if best is None and not answers:
                raise UserError(f"{file}: question_id {number} has no answer: expected answers")
            yield Asked(
                row,
                name(one["image_id"]),
                only_text(one["question"], f"{path}, question {row}: the question"),
                answers or [text_of(best, what)],
                None if best is None else text_of(best, what),
                None if own.get(kind) is None else text_of(own[kind], f"{file}, question_id {number}: {kind}"),
                [text_of(choice, f"{path}, question {row}: a choice") for choice in one.get("multiple_choices") or ()],
                number,
            )
        except (KeyError, TypeError, AttributeError) as error:
            expected = "questions with question_id, image_id and question, and annotations with answers"
            raise not_in_form(f"{path}, question {row}", "VQA", error, expected) from None
    if spare := len(answered) - len(asked):
        notes.append(f"{file.name}: {number_of(spare, 'annotation')} without a question left out")


def clevr(plain: dict[str, Plain], path: Path) -> Read:
    """The questions of a file. Raises UserError for another form, and for a question without an answer."""
    return _clevr(plain["questions"], path), str(_first(plain).get("split") or "")


def _clevr(questions: list[Plain], path: Path) -> Iterator[Asked]:
    for row, one in enumerate(questions):
        try:
            if one.get("answer") is None:
                raise UserError(
                    f"{path}, question {row} has no answer: expected one for every question (CLEVR's test questions "
                    "have none)"
                )
            last = program[-1] if (program := one.get("program")) else {}
            kind = str(last["function"]) if "function" in last else None
            where, picture = f"{path}, question {row}", str(one["image_filename"])
            answer = text_of(one["answer"], f"{where}: the answer")
            question = only_text(one["question"], f"{where}: the question")
            yield Asked(row, picture, question, [answer], kind=kind, id=one.get("question_index"))
        except (KeyError, TypeError, AttributeError) as error:
            expected = "questions with image_filename, question and answer"
            raise not_in_form(f"{path}, question {row}", "CLEVR", error, expected) from None
