"""Questions as ids, and each picture once, on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, prepared, train_vocabulary, write_meta
from lightning_seq.data.disk_rows import DiskRows, Rows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.pictures import Picture as AnyPicture
from lightning_seq.data.pictures import PictureFile, save_pictures
from lightning_seq.data.prepared_pictures import PreparedPictures
from lightning_seq.data.sources.table import SPLITS, Loaded
from lightning_seq.data.sources.visual_questions import QuestionSource, QuestionTable
from lightning_seq.data.token_arrays import (
    Ragged,
    TokenNumbers,
    read_arrays,
    save_arrays,
    save_corpus,
    shortened,
)
from lightning_seq.data.visual_questions.answers import agreements, choice_ids, choose_answers
from lightning_seq.data.visual_questions.settings import QuestionSettings
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint, sha256
from lightning_seq.spec import Answer, DataSpec, Question
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary

CODE_VERSION = 4
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""

ARRAYS = ("picture", "answers", "kinds", "ids", "annotated", "agreement", "choices")


@dataclass(frozen=True)
class QuestionSplit(Ragged):
    """The questions of one split, as ids.

    pictures: `[P, channels, height, width]` uint8, on disk, each once.
    picture:  `[N]` int64, the picture of each question.
    answers:  `[N]` int64, ids of the answers; the number of answers for one that the model cannot give.
    kinds:    `[N]` int64, ids of the kinds of questions, all 0 where they are unknown.
    ids:      `[N]` int64, the source's number of each question.
    annotated, agreement: see `agreements`.
    choices:  `[N, M]` int64, see `choice_ids`; M is 0 without choices.
    """

    pictures: Rows
    picture: np.ndarray
    answers: np.ndarray
    kinds: np.ndarray
    ids: np.ndarray
    annotated: np.ndarray
    agreement: np.ndarray
    choices: np.ndarray


@dataclass(frozen=True, kw_only=True)
class PreparedQuestions(PreparedPictures[QuestionSplit]):
    """Questions about pictures, ready for batches. spec: Question to Answer.

    vocabulary: of the questions of the train split alone.
    kinds:      names of the kinds of questions; empty where they are unknown.
    """

    settings: QuestionSettings
    kinds: tuple[str, ...] = ()

    def answers(self, split: str) -> KeptTexts:
        """The answers of a split, normalised, among them those that the model cannot give."""
        return self.kept(f"{split}_answer")


def prepare_questions(source: QuestionSource, cache: Path | str, settings: QuestionSettings) -> PreparedQuestions:
    """The source's questions and pictures, from the cache where they are there and whole.

    Raises UserError for a mistake in the source, as `choose_answers` does, and for a picture that cannot be read.
    """
    plain = settings.to_plain() | {"code": CODE_VERSION}
    build = partial(_build, settings=settings, plain=plain)
    read = partial(_read, settings=settings)
    return prepared(source, cache, {"visual_questions": source.identity(), **plain}, build, read)


def _read(
    directory: Path, meta: dict[str, Plain], common: CachedFields, settings: QuestionSettings
) -> PreparedQuestions:
    vocabulary, splits = Vocabulary.from_plain(meta["vocabulary"]), {}
    for split in SPLITS:
        flat, offsets, *others = read_arrays(directory, split, "flat", "offsets", *ARRAYS)
        splits[split] = QuestionSplit(flat, offsets, DiskRows(directory, f"{split}_pictures"), *others)
    inputs = Question(vocabulary.words, (), settings.channels, *settings.height_and_width)
    return PreparedQuestions(
        spec=DataSpec(inputs, Answer(tuple(meta["answers"]))),
        splits=splits,
        vocabulary=vocabulary,
        segmenter=Segmenter(settings.level, settings.lower, normalise=settings.normalise),
        settings=settings,
        kinds=tuple(meta["kinds"]),
        **common,
    )


def _build(
    directory: Path, name: str, loaded: Loaded[QuestionTable], settings: QuestionSettings, plain: dict[str, Plain]
) -> None:
    report, spelling = list(loaded.notes), TokenNumbers()
    segmenter = Segmenter(settings.level, settings.lower, normalise=settings.normalise)
    tables, answers = choose_answers(name, loaded, settings, report)
    known = all(table.kinds for table in tables.values())
    if not known and any(table.kinds for table in tables.values()):
        report.append("kinds of questions are left out: not every split has them")
    kinds = sorted({kind for table in tables.values() for kind in table.kinds or ()}) if known else []
    numbers, kind_numbers = ({text: number for number, text in enumerate(texts)} for texts in (answers, kinds))
    numbered = {split: spelling.flatten(map(segmenter, tables[split].questions)) for split in SPLITS}
    for split, (_, offsets) in numbered.items():
        if len(empty := np.flatnonzero(np.diff(offsets) == 0)):
            row = tables[split].ids[int(empty[0])]
            raise UserError(f"{name}, {split} split, example {row}: the question is empty: expected at least one word")
    vocabulary = train_vocabulary(
        name, spelling.counts(numbered["train"][0]), settings.min_count, settings.max_vocabulary
    )
    words, digest = np.array(vocabulary.encode(spelling), dtype=np.int32), hashlib.sha256()
    for split in SPLITS:
        table, (flat, offsets) = tables[split], numbered[split]
        flat, offsets = shortened(words[flat], offsets, settings.max_length, f"{split}: ", "questions", report)
        pictures, picture = each_once(table.pictures)
        file = directory / f"{split}_pictures.npy"
        size = settings.height_and_width
        save_pictures(file, pictures, size, settings.channels, settings.fit, f"{split}: ", report)
        annotated, agreement = agreements(table.annotators, numbers)
        save_arrays(
            directory, split, flat=flat, offsets=offsets, picture=picture, ids=np.array(table.ids, dtype=np.int64),
            answers=np.array([numbers.get(text, len(answers)) for text in table.answers], dtype=np.int64),
            kinds=np.array([kind_numbers[kind] for kind in table.kinds] if known and table.kinds else [0] * len(table)),
            annotated=annotated, agreement=agreement, choices=choice_ids(table.choices, numbers),
        )  # fmt: skip
        save_texts(directory, f"{split}_text", table.questions)
        save_texts(directory, f"{split}_answer", table.answers)
        save_names(directory, split, table)
        of_question = [table.questions, table.answers, table.kinds, table.annotators, table.choices]
        columns = [table.ids, *of_question, picture.tolist()]
        digest.update(json.dumps([split, *columns, sha256(file)]).encode())
    save_corpus(directory, "", *numbered["train"], list(spelling))
    content = digest.hexdigest()[:16]
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "answers": answers,
        "kinds": kinds,
        "fingerprints": {"data": fingerprint({"content": content, **plain}), "split": content},
    }
    write_meta(directory, meta, loaded.revision, report)


def each_once(pictures: list[AnyPicture]) -> tuple[list[AnyPicture], np.ndarray]:
    """The different pictures, and the number of each one's picture among them."""
    different, numbers, kept = dict[Hashable, int](), np.zeros(len(pictures), dtype=np.int64), list[AnyPicture]()
    for row, picture in enumerate(pictures):
        key: Hashable = repr(picture)
        if isinstance(picture, PictureFile):
            content = picture.content
            key = hashlib.sha256(content).digest() if isinstance(content, bytes) else content
        if key not in different:
            different[key] = len(kept)
            kept.append(picture)
        numbers[row] = different[key]
    return kept, numbers
