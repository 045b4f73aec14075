"""Questions about pictures in files of the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from lightning_seq.data.sources.keys import NameColumns, checked_keys, typed_names
from lightning_seq.data.sources.picture_files import PICTURE_NAMES, PictureFiles, Record, mark
from lightning_seq.data.sources.question_json import Asked, clevr, is_clevr, is_vqa, text_of, vqa
from lightning_seq.data.sources.split_files import split_file
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.visual_questions import QuestionTable
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.text.lines import check_characters

FORMS = (
    "csv, tsv (a header with columns of pictures, questions and answers), jsonl (objects with file_name, question and "
    "answer), or json (VQA's *_questions.json with its annotations, or CLEVR's)"
)
BETWEEN = "|"
"""What separates the choices in a field of a csv or tsv file."""
NAMES = ("id_column", "group_column")


@dataclass(frozen=True)
class QuestionFiles(NameColumns, PictureFiles):
    """Files of questions about pictures, by their ending: csv, tsv, jsonl, json (VQA's or CLEVR's).

    picture_column, question_column, answer_column: of csv, tsv and jsonl files; None: the first of the usual names. An
                     answer in a jsonl file may be a list: of each annotator one.
    kind_column:     kinds of questions; in VQA's files `answer_type` (None) or `question_type`; CLEVR's have the last
                     function of the program.
    choices_column:  answers to choose from, a list, or separated by `|`; a question may have none.
    group_column:    None: the questions about one picture are a group.
    …_annotations:   of VQA's questions; None: the file with the usual name next to them.
    """

    picture_column: str | None = None
    question_column: str | None = None
    answer_column: str | None = None
    kind_column: str | None = None
    choices_column: str | None = None
    train_annotations: str | None = None
    validation_annotations: str | None = None
    test_annotations: str | None = None

    advice = f"give data.train=FILE: {FORMS}"
    forms = FORMS
    usual: ClassVar = {
        "picture_column": PICTURE_NAMES,
        "question_column": ("question", "questions", "text"),
        "answer_column": ("answer", "answers", "multiple_choice_answer", "label"),
    }
    optional: ClassVar = {
        "kind_column": ("kind", "question_type", "answer_type"),
        "choices_column": ("choices", "multiple_choices"),
        "group_column": ("group",),
        "id_column": (),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for split in ("validation", "test"):
            if getattr(self, f"{split}_annotations") and not getattr(self, split):
                raise UserError(f"data.{split}_annotations is given without data.{split}: give its questions too")

    def identity(self) -> Plain:
        files = {
            split: [
                *({picture.name: mark(picture) for picture in table.pictures}.values()),
                [picture.name for picture in table.pictures],
                [table.questions, table.answers, table.kinds, table.annotators, table.choices],
                [table.keys, table.groups],
            ]
            for split, table in self._tables[0].items()
        }
        return {"questions": fingerprint(files), "cut": self.shares(), **self.names_to_plain(), **self.encoded()}

    def load(self) -> Loaded[QuestionTable]:
        """Raises UserError, with file and line, for a mistake in the files, and for a missing picture."""
        tables, notes = self._tables
        return self.loaded(tables, notes=notes)

    @cached_property
    def _tables(self) -> tuple[dict[str, QuestionTable], list[str]]:
        notes, paths = list[str](), self.paths()
        tables = {split: self._table(path, split, notes) for split, path in paths.items()}
        untyped = any(path.suffix.lower() in (".csv", ".tsv") for path in paths.values())
        return typed_names(tables, untyped), notes

    def _table(self, path: Path, split: str, notes: list[str]) -> QuestionTable:
        reader, folder = _READERS.get(path.suffix.lower()), ""
        if path.suffix.lower() == ".json":
            rows, folder = self._json(path, split, notes)
        elif reader is None:
            raise self.wrong_ending(path)
        else:
            if given := getattr(self, f"{split}_annotations"):
                raise UserError(f"data.{split}_annotations={given}: {path.name} is no file of VQA's; leave it out")
            rows = reader(self, path)
        unit = "question" if path.suffix.lower() == ".json" else "line"
        asked = [_checked(one, f"{path}, {unit} {one.line}") for one in rows]
        if not asked:
            raise UserError(f"{path} has no questions: expected one example a line")
        lines = dict[str, int]()
        for one in asked:
            lines.setdefault(one.picture, one.line)
        files = self.files(path, lines, folder, unit)
        names = {}
        for setting, name in zip(NAMES, ("id", "group"), strict=True):
            values = [getattr(one, name) for one in asked]
            if getattr(self, setting) or any(value is not None for value in values):
                column = getattr(self, setting) or name
                places = [f"{path}, {unit} {one.line}" for one in asked]
                names[setting] = checked_keys(values, column, places.__getitem__, setting)
        annotated = any(len(one.answers) > 1 for one in asked)
        return QuestionTable(
            [files[one.picture] for one in asked],
            [one.question for one in asked],
            [one.answer or Counter(one.answers).most_common(1)[0][0] for one in asked],
            [one.line for one in asked],
            _kinds(asked, f"{path}, {unit}"),
            names.get("id_column"),
            names.get("group_column") or [one.picture for one in asked],
            [list(one.answers) for one in asked] if annotated else None,
            [list(one.choices) for one in asked] if any(one.choices for one in asked) else None,
        )

    def _separated(self, path: Path) -> Iterator[Asked]:
        for line, values in self.separated(path):
            choices = str(values.get("choices_column", ""))
            split = [choice.strip() for choice in choices.split(BETWEEN)] if choices.strip() else []
            yield self._asked(path, (line, {**values, "choices_column": split}))

    def _objects(self, path: Path) -> Iterator[Asked]:
        return (self._asked(path, record) for record in self.objects(path))

    def _asked(self, path: Path, record: Record) -> Asked:
        line, values = record
        where = f"{path}, line {line}"
        picture, question = values["picture_column"], values["question_column"]
        if not isinstance(picture, str) or not isinstance(question, str):
            raise UserError(f"{where}: expected the name of a picture and a question as texts")
        answers = _texts(values["answer_column"], f"{where}: the answer")
        kind, choices = values.get("kind_column"), values.get("choices_column")
        names = {name.removesuffix("_column"): values.get(name) for name in NAMES}
        return Asked(
            line,
            picture.strip(),
            question,
            answers,
            kind=None if kind in (None, "") else text_of(kind, f"{where}: the kind"),
            choices=() if choices in (None, "", []) else _texts(choices, f"{where}: a choice"),
            id=names["id"],
            group=names["group"],
        )

    def _json(self, path: Path, split: str, notes: list[str]) -> tuple[Iterator[Asked], str]:
        """The questions of a file, and the folder of its pictures."""
        for setting in ("picture_column", "question_column", "answer_column", "choices_column", *NAMES):
            if name := getattr(self, setting):
                raise UserError(f"data.{setting}={name}: {path.name} is JSON, which has no columns; leave it out")
        plain, annotations = self.json(path), getattr(self, f"{split}_annotations")
        if is_clevr(plain):
            if annotations or self.kind_column:
                raise UserError(f"{path} is in CLEVR's form: leave out data.{split}_annotations and data.kind_column")
            return clevr(plain, path)
        if not is_vqa(plain):
            raise UserError(f"{path} is in neither VQA's nor CLEVR's form: expected {FORMS}")
        file = Path(annotations).expanduser() if annotations else _usual_annotations(path)
        if not annotations and not file.is_file():
            raise UserError(
                f"{path} has no answers, and {file.name} is not next to it: give data.{split}_annotations=FILE"
            )
        file = split_file(f"{split}_annotations", file)
        return vqa(plain, self.json(file), path, file, self.kind_column or "answer_type", notes)

    def given(self) -> Collection[str]:
        return self.paths().keys()


_READERS: dict[str, Callable[[QuestionFiles, Path], Iterator[Asked]]] = {
    ".csv": QuestionFiles._separated,
    ".tsv": QuestionFiles._separated,
    ".jsonl": QuestionFiles._objects,
}


def _usual_annotations(path: Path) -> Path:
    """`v2_mscoco_train2014_annotations.json` for `v2_OpenEnded_mscoco_train2014_questions.json`."""
    name = path.name.replace("OpenEnded_", "").replace("MultipleChoice_", "")
    return path.with_name(name.replace("_questions", "_annotations"))


def _texts(value: object, what: str) -> list[str]:
    """A text, a number, or a list of them, as texts. Raises UserError for another value and for an empty one."""
    values = value if isinstance(value, list) else [value]
    texts = [text_of(one, what).strip() for one in values]
    if not texts or not all(texts):
        raise UserError(f"{what} is empty: expected a text")
    return texts


def _checked(one: Asked, where: str) -> Asked:
    check_characters(where, " ".join([one.question, one.answer or "", one.kind or "", *one.answers, *one.choices]))
    if not any(map(str.strip, one.answers)):
        raise UserError(f"{where}: the answer is empty: expected a text")
    if not one.question.strip():
        raise UserError(f"{where}: the question is empty: expected at least one word")
    return one


def _kinds(asked: list[Asked], place: str) -> list[str] | None:
    """Raises UserError where only some questions have a kind."""
    kinds = [one.kind for one in asked if one.kind is not None]
    if kinds and len(kinds) < len(asked):
        lacking = next(one.line for one in asked if one.kind is None)
        raise UserError(f"{place} {lacking}: the kind is missing: expected one for every question, or for none")
    return kinds or None
