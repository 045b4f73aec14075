"""Transcripts of new recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.speech_recognition import transcribed
from lightning_seq.builders.task_kind import Loaded, Row
from lightning_seq.builders.transcriptions import Transcription
from lightning_seq.data.speech.reader import Heard
from lightning_seq.errors import UserError
from lightning_seq.inference.predict import with_note
from lightning_seq.models.ctc import Fusion, PrefixScorer
from lightning_seq.models.prefix_scorers import WordScorer
from lightning_seq.models.search import BeamSearchConfig
from lightning_seq.spec import NextToken
from lightning_seq.text.vocabulary import EOS


class Transcribed(NamedTuple):
    """A recording and its transcripts, the best first.

    heard, best: None for a file that cannot be read.
    note: on the own sound, on an empty transcript, or on what cannot be read; None for any other recording.
    """

    path: Path
    heard: Heard | None
    best: list[Transcription] | None
    note: str | None

    def to_plain(self) -> Row:
        row: Row = {"audio": str(self.path)}
        if self.best and self.heard is not None:
            row |= {"transcript": self.best[0].text, "seconds": round(self.heard.seconds, 3)}
            if self.best[0].spikes is not None:
                row["units"] = [{"unit": unit, "seconds": seconds} for unit, seconds in self.best[0].spikes]
        row["predictions"] = [one.to_plain() for one in self.best or []]
        return with_note(row, self.note)


def transcripts(
    loaded: Loaded, paths: Iterable[Path], search: BeamSearchConfig, batch_size: int = 16, fusion: Fusion | None = None
) -> Iterator[Transcribed]:
    """Each recording with its `search.n_best` transcripts; `batch_size` recordings are read at a time.

    Raises UserError for another kind of model.
    """
    check_verb("transcribe", loaded.kind)
    files = iter(paths)
    while batch := [_read(loaded, path) for path in islice(files, batch_size)]:
        features = [one.heard.features for one in batch if one.heard is not None]
        best = iter(transcribed(loaded, features, search, fusion) if features else ())
        for one in batch:
            yield one if one.heard is None else _with_best(one, next(best))


def _with_best(one: Transcribed, best: list[Transcription]) -> Transcribed:
    empty = "" if best[0].text else "the likeliest transcript is empty"
    return one._replace(best=best, note="; ".join(filter(None, (one.note, empty))) or None)


def _read(loaded: Loaded, path: Path) -> Transcribed:
    try:
        heard = loaded.reader.hear(path)
    except UserError as error:
        return Transcribed(path, None, None, str(error))
    return Transcribed(path, heard, None, f"the recording is {heard.change}" if heard.change else None)


def scorer_of(language_model: Loaded, recogniser: Loaded) -> PrefixScorer:
    """The language model for the search of the recogniser.

    Raises UserError for a model of another kind, and for one that carries no state.
    """
    if not isinstance(language_model.spec.targets, NextToken):
        raise UserError(
            f"language_model=… is {language_model.kind.name}: expected a language model, such as model=lstm"
        )
    if not language_model.model.encoder.stateful:
        raise UserError(
            "language_model=… carries no state from word to word: expected a recurrent one, such as model=lstm"
        )
    reader = recogniser.reader
    kind = CharacterModel if language_model.reader.reading.by_character else WordModel
    return kind(reader.vocabulary.words, not reader.tokenized, language_model)


class _Followed:
    """The state of a language model after some ids, and the log-probabilities of the next one."""

    def __init__(self, loaded: Loaded) -> None:
        self.model, self.line_end = loaded.model, loaded.reader.line_end

    @torch.inference_mode()
    def read(self, state: Any, number: int) -> tuple[Any, torch.Tensor]:
        scores, after = self.model(torch.tensor([[number]]), torch.ones(1, 1, dtype=torch.bool), state)
        return after, scores[0, 0]

    def begin(self) -> tuple[Any, torch.Tensor | None]:
        return (None, None) if self.line_end is None else self.read(None, self.line_end)

    def follow(self, state: tuple[Any, torch.Tensor | None], number: int) -> tuple[Any, float]:
        inner, scores = state
        return self.read(inner, number), 0.0 if scores is None else float(scores[number])


class WordModel(WordScorer):
    """A trained language model of words."""

    def __init__(self, units: tuple[str, ...], by_characters: bool, loaded: Loaded) -> None:
        super().__init__(units, by_characters)
        self.reader, self.followed = loaded.reader, _Followed(loaded)

    def begin(self) -> Any:
        return self.followed.begin()

    def word(self, state: Any, word: str | None) -> tuple[Any, float]:
        if word is None:
            return state, 0.0 if self.followed.line_end is None else self.followed.follow(
                state, self.followed.line_end
            )[1]
        total = 0.0
        for number in self.reader.ids(word):
            state, gained = self.followed.follow(state, number)
            total += gained
        return state, total


class CharacterModel:
    """A trained language model of characters; a word after the first has a space before it."""

    def __init__(self, units: tuple[str, ...], by_characters: bool, loaded: Loaded) -> None:
        self.units, self.by_characters = units, by_characters
        self.reader, self.followed = loaded.reader, _Followed(loaded)

    def start(self) -> tuple[Any, bool]:
        return self.followed.begin(), True

    def extend(self, state: tuple[Any, bool], symbol: int) -> tuple[tuple[Any, bool], float]:
        """See `PrefixScorer`."""
        (inner, is_first), total = state, 0.0
        if symbol == EOS:
            end = self.followed.line_end
            return state, 0.0 if end is None else self.followed.follow(inner, end)[1]
        text = self.units[symbol] if self.by_characters or is_first else f" {self.units[symbol]}"
        for number in self.reader.ids(text):
            inner, gained = self.followed.follow(inner, number)
            total += gained
        return (inner, False), total
