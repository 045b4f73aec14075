"""Questions as ids, and each picture once, on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, train_vocabulary, write_meta
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.disk_rows import DiskRows, Rows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.pictures import Picture as AnyPicture
from lightning_seq.data.pictures import PictureFile, save_pictures
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.sources.visual_questions import QuestionSource, QuestionTable
from lightning_seq.data.token_arrays import (
    Ragged,
    TokenNumbers,
    read_arrays,
    read_corpus,
    reading,
    save_arrays,
    save_corpus,
    shortened,
)
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint, sha256
from lightning_seq.spec import Answer, DataSpec, Question
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary

CODE_VERSION = 2
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class QuestionSplit(Ragged):
    """The questions of one split, as ids.

    pictures: `[P, channels, height, width]` uint8, on disk, each once.
    picture:  `[N]` int64, the picture of each question.
    answers:  `[N]` int64, ids of the answers.
    kinds:    `[N]` int64, ids of the kinds of questions, all 0 where they are unknown.
    ids:      `[N]` int64, the source's number of each question.
    """

    pictures: Rows
    picture: np.ndarray
    answers: np.ndarray
    kinds: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True, kw_only=True)
class PreparedQuestions(PreparedData[QuestionSplit]):
    """Questions about pictures, ready for batches. spec: Question to Answer.

    vocabulary: of the questions of the train split alone.
    kinds:      names of the kinds of questions; empty where they are unknown.
    """

    vocabulary: Vocabulary
    segmenter: Segmenter
    settings: CaptionSettings
    kinds: tuple[str, ...] = ()

    def train_sentences(self) -> Iterator[list[str]]:
        return read_corpus(self.directory)

    def texts(self, split: str) -> KeptTexts:
        """The questions of a split as the source has them."""
        with reading(self.directory):
            return KeptTexts(self.directory, f"{split}_text")


def prepare_questions(source: QuestionSource, cache: Path | str, settings: CaptionSettings) -> PreparedQuestions:
    """The source's questions and pictures, from the cache where they are there and whole. `max_length` of the settings
    is of questions.

    Raises UserError for a mistake in the source, an empty split, an answer that no training example has, and a picture
    that cannot be read.
    """
    plain = settings.to_plain() | {"code": CODE_VERSION}
    build = partial(_build, settings=settings, plain=plain)
    read = partial(_read, settings=settings)
    return prepared(source, cache, {"visual_questions": source.identity(), **plain}, build, read)


def _read(
    directory: Path, meta: dict[str, Plain], common: CachedFields, settings: CaptionSettings
) -> PreparedQuestions:
    vocabulary, splits = Vocabulary.from_plain(meta["vocabulary"]), {}
    for split in SPLITS:
        flat, offsets, *others = read_arrays(directory, split, "flat", "offsets", "picture", "answers", "kinds", "ids")
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
    directory: Path, name: str, loaded: Loaded[QuestionTable], settings: CaptionSettings, plain: dict[str, Plain]
) -> None:
    report, spelling = list(loaded.notes), TokenNumbers()
    segmenter = Segmenter(settings.level, settings.lower, normalise=settings.normalise)
    answers = _answers(name, loaded)
    kinds = sorted({kind for table in loaded.tables.values() for kind in table.kinds or ()})
    numbers = {text: number for number, text in enumerate(answers)}
    numbered = {split: spelling.flatten(map(segmenter, loaded.tables[split].questions)) for split in SPLITS}
    for split, (_, offsets) in numbered.items():
        if len(empty := np.flatnonzero(np.diff(offsets) == 0)):
            row = loaded.tables[split].ids[int(empty[0])]
            raise UserError(f"{name}, {split} split, example {row}: the question is empty: expected at least one word")
    vocabulary = train_vocabulary(
        name, spelling.counts(numbered["train"][0]), settings.min_count, settings.max_vocabulary
    )
    known, digest = np.array(vocabulary.encode(spelling), dtype=np.int32), hashlib.sha256()
    for split in SPLITS:
        table, (flat, offsets) = loaded.tables[split], numbered[split]
        flat, offsets = shortened(known[flat], offsets, settings.max_length, f"{split}: ", "questions", report)
        pictures, picture = _each_once(table.pictures)
        file = directory / f"{split}_pictures.npy"
        size = settings.height_and_width
        save_pictures(file, pictures, size, settings.channels, settings.fit, f"{split}: ", report)
        save_arrays(
            directory, split, flat=flat, offsets=offsets, picture=picture, ids=np.array(table.ids, dtype=np.int64),
            answers=np.array([numbers[text] for text in table.answers], dtype=np.int64),
            kinds=np.array([kinds.index(kind) for kind in table.kinds] if table.kinds else [0] * len(table)),
        )  # fmt: skip
        save_texts(directory, f"{split}_text", table.questions)
        save_names(directory, split, table)
        columns = [table.ids, table.questions, table.answers, table.kinds, picture.tolist()]
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


def _answers(name: str, loaded: Loaded[QuestionTable]) -> list[str]:
    """The answers of the train split. Raises UserError for an empty split, and for an answer that it does not have."""
    for split, table in loaded.tables.items():
        if not len(table):
            raise empty_split(name, split, "a question")
    trained = sorted(set(loaded.tables["train"].answers))
    if len(trained) < 2:
        raise UserError(f"{name}: the train split has one answer, {trained[0]!r}: expected at least two")
    known = set(trained)
    for split, table in loaded.tables.items():
        for text, row in zip(table.answers, table.ids, strict=True):
            if text not in known:
                raise UserError(
                    f"{name}, {split} split, example {row}: no training example has the answer {text!r}: "
                    f"expected one of {', '.join(trained[:12])}"
                )
    return trained


def _each_once(pictures: list[AnyPicture]) -> tuple[list[AnyPicture], np.ndarray]:
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
