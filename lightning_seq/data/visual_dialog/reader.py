"""The reader of new turns of dialogs about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeGuard

import numpy as np
import torch
from torch import Tensor

from lightning_seq.data.note import EMPTY, Note, note_of_tokens
from lightning_seq.data.picture_file_reader import PictureFileReader
from lightning_seq.data.pictures import picture_named
from lightning_seq.data.reader import check_some
from lightning_seq.errors import UserError, near
from lightning_seq.spec import ANSWERS, CANDIDATES, HISTORY, KINDS, PICTURES, TURNS, Batch
from lightning_seq.text.column import json_object
from lightning_seq.text.padding import pad
from lightning_seq.text.vocabulary import BOS, EOS

KEYS = ("image", "caption", "turns", "question", "candidates")


class Asked(NamedTuple):
    """A question about a picture, after other turns. candidates: of its answer; empty for the model's own."""

    image: Path
    question: str
    caption: str = ""
    turns: tuple[tuple[str, str], ...] = ()
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class DialogReader(PictureFileReader):
    """Reads lines as batches: `FILE<TAB>QUESTION`, `FILE<TAB>QUESTION<TAB>ANSWER<TAB>QUESTION` and so on, or JSON,
    `{"image": FILE, "caption": …, "turns": [[QUESTION, ANSWER], …], "question": …, "candidates": [ANSWER, …]}`, where
    image and question must be given.

    max_length: tokens of a text that are read, or None for all; answers: the most frequent ones of training, for
    questions without candidates. See `PictureFileReader`.
    """

    KIND = "visual_dialog"
    OBJECTS = True
    TABS = True
    max_length: int | None = None
    answers: tuple[str, ...] = ()

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """Raises UserError for a line of another form, for a file that is no picture, and for an empty text."""
        check_some(texts, "question")
        return self.encode_asked([parsed(text, f"text {number}") for number, text in enumerate(texts, first)])

    def encode_asked(self, asked: Sequence[Asked]) -> Batch:
        """One batch of questions. Raises UserError for a file that is no picture."""
        questions = [self._ids(one.question) for one in asked]
        facts, counts = list[list[int]](), list[int]()
        for one in asked:
            facts.append([*self._ids(one.caption), EOS] if one.caption.strip() else [BOS])
            facts += [[*self._ids(question), EOS, *self._ids(answer), EOS] for question, answer in one.turns]
            counts.append(1 + len(one.turns))
        choices = [self.choices(one) for one in asked]
        different = list(dict.fromkeys(text for own in choices for text in own)) or [""]
        candidates = torch.full((len(asked), max(map(len, choices))), -1)
        for row, own in enumerate(choices):
            candidates[row, : len(own)] = torch.tensor([different.index(text) for text in own])
        inputs, mask = pad([np.array(ids, dtype=np.int64) for ids in questions])
        zeros = torch.zeros(len(asked), dtype=torch.int64)
        extra = {
            PICTURES: torch.from_numpy(np.stack([self.read(one.image).values for one in asked])),
            HISTORY: stacked(pad([np.array(fact, dtype=np.int64) for fact in facts])[0], counts),
            ANSWERS: pad([np.array([*self._ids(text), EOS], dtype=np.int64) for text in different])[0][None],
            CANDIDATES: candidates,
            TURNS: torch.tensor(counts) - 1,
            KINDS: zeros,
        }
        return Batch(torch.arange(len(asked)), inputs, mask, zeros, zeros.bool(), 0, extra)

    def choices(self, asked: Asked) -> tuple[str, ...]:
        """The answers among which the model chooses, each once."""
        return tuple(dict.fromkeys(asked.candidates)) or self.answers

    def _ids(self, text: str) -> list[int]:
        return self.vocabulary.encode(self.segmenter(text)[: self.max_length])

    def note(self, text: str) -> Note | None:
        if not text.strip():
            return EMPTY
        try:
            asked = parsed(text, "this line")
        except UserError as error:
            return Note(str(error), False)
        return self.note_of(asked)

    def note_of(self, asked: Asked) -> Note | None:
        """A note on a picture and a question."""
        of_question = note_of_tokens(self.segmenter(asked.question), self.vocabulary, self.max_length)
        return self.note_of_picture(asked.image, of_question)


def stacked(ids: Tensor, counts: Sequence[int]) -> Tensor:
    """Facts `[F, T]`, one after the other, as `[B, K, T]`: `counts` of each row, then padding."""
    known = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    history = ids.new_zeros(*known.shape, ids.shape[1])
    history[known] = ids
    return history


def parsed(text: str, where: str) -> Asked:
    """A line that `DialogReader` reads. where: its number, for errors."""
    if not text.lstrip().startswith("{"):
        name, *parts = text.split("\t")
        if len(parts) % 2 == 0:
            raise UserError(
                f"{where} has {len(parts)} tabs: expected the file of a picture, a tab and a question; or questions "
                "and answers in turn, with a tab between them, the last one a question"
            )
        before = tuple(zip(parts[:-1:2], parts[1::2], strict=True))
        return checked(Asked(picture_named(name, where), parts[-1], turns=before), where)
    record = json_object(text, where, "image")
    if unknown := [key for key in record if key not in KEYS]:
        raise UserError(f"{where}: there is no key {unknown[0]!r}; {near(unknown[0], KEYS)}")
    for key in ("image", "question", "caption"):
        if not isinstance(record.get(key, "" if key == "caption" else None), str):
            raise UserError(f'{where}: expected {{"image": FILE, "question": TEXT}}, and {key!r} is no text')
    turns, candidates = turns_of(record.get("turns", []), f'{where}: "turns"'), record.get("candidates", [])
    if not _texts(candidates) or len({*candidates}) == 1:
        raise UserError(f'{where}: "candidates" is no list of at least two different answers')
    asked = Asked(
        picture_named(str(record["image"]), where),
        str(record["question"]),
        str(record.get("caption", "")),
        turns,
        tuple(candidates),
    )
    return checked(asked, where)


def turns_of(plain: object, where: str) -> tuple[tuple[str, str], ...]:
    """Questions with their answers. where: for errors. Raises UserError for another form."""
    if not isinstance(plain, list) or not all(_texts(turn) and len(turn) == 2 for turn in plain):
        raise UserError(f"{where} is no list of [QUESTION, ANSWER]")
    return tuple((question, answer) for question, answer in plain)


def _texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def checked(asked: Asked, where: str) -> Asked:
    """The question. where: for errors. Raises UserError for an empty text."""
    if not asked.question.strip():
        raise UserError(f"{where}: the question is empty: expected at least one word")
    if not all(text.strip() for text in [*asked.candidates, *(text for turn in asked.turns for text in turn)]):
        raise UserError(f"{where}: a turn or a candidate is empty: expected at least one word")
    return asked
