"""Polyphonic music as sets of notes, step by step, from a column of a public set or from files of the user."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np

from lightning_seq.data.sources.columns import Reading, Sets, check_columns
from lightning_seq.data.sources.public import PublicSet
from lightning_seq.data.sources.split_files import SplitFiles, decoded
from lightning_seq.data.sources.table import Cut, Examples, Loaded, Source
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.lines import split_lines
from lightning_seq.value_types import ArgumentsOf

NOTES = range(21, 109)
"""MIDI numbers of a piano's 88 keys, A0 to C8."""

_EXAMPLE = '{"notes": [[60, 64, 67], [], [62]]}'


@dataclass(frozen=True)
class Pieces(Examples):
    """The pieces of one split.

    rolls: by piece `[T, 88]` uint8, 1 where a note of `NOTES` sounds; T is at least 1.
    ids:   of the source: rows, or lines of the file.
    """

    rolls: list[np.ndarray]
    ids: list[int]


PiecesSource: TypeAlias = Source[Loaded[Pieces]]


def roll(notes: object, place: str) -> np.ndarray:
    """`[T, 88]` uint8 from a list with a list of MIDI numbers for each step.

    Raises UserError, with the place and the step, for anything else.
    """
    if not isinstance(notes, list) or not notes:
        raise UserError(f"{place}: {_shown(notes)} came, expected a list of steps, each a list of notes: {_EXAMPLE}")
    steps = np.zeros((len(notes), len(NOTES)), dtype=np.uint8)
    for step, sounding in enumerate(notes, 1):
        if not isinstance(sounding, list) or not all(type(note) is int and note in NOTES for note in sounding):
            raise UserError(
                f"{place}, step {step}: {_shown(sounding)} came, expected a list of MIDI numbers from "
                f"{NOTES[0]} to {NOTES[-1]}: transpose the piece, or leave the note out"
            )
        steps[step - 1, [note - NOTES[0] for note in sounding]] = 1
    return steps


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:60]} …"


@dataclass(frozen=True)
class NotesColumn(Reading[Loaded[Pieces]], Cut):
    """Reads pieces.

    notes_column: a row is a piece: a list of steps, each a list of MIDI numbers.
    """

    notes_column: str = "notes"

    def to_plain(self) -> Plain:
        return {"notes": self.notes_column, "splits": self.own_splits, "cut": self.shares()}

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[Pieces]:
        """Raises UserError for a missing split or column, and for a note that is not on a piano."""
        self.check_trainable(sets, name)
        tables = {}
        for split, rows, place in self.chosen(sets, name):
            check_columns(rows, {"notes_column": self.notes_column}, place)
            rolls = [roll(notes, f"{place}, row {row}") for row, notes in enumerate(rows[self.notes_column])]
            tables[split] = Pieces(rolls, list(range(len(rolls))))
        return self.loaded(tables, revision=revision)


@dataclass(frozen=True)
class RollFiles(SplitFiles, Cut):
    """Json lines, a piece a line, as `{"notes": [[60, 64, 67], [], [62]]}`."""

    notes_column: str = "notes"

    def identity(self) -> Plain:
        return {"rolls": self.notes_column, "cut": self.shares(), **self.contents()}

    def load(self) -> Loaded[Pieces]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables = {}
        for split, path in self.paths().items():
            pieces = list(self._pieces(path))
            tables[split] = Pieces([piece for _, piece in pieces], [line for line, _ in pieces])
        return self.loaded(tables)

    def _pieces(self, path: Path) -> Iterator[tuple[int, np.ndarray]]:
        for line, content in enumerate(split_lines(decoded(path)), 1):
            if content.strip():
                yield line, read_roll(content, f"{path}, line {line}", self.notes_column)


def read_roll(text: str, place: str, key: str = "notes") -> np.ndarray:
    """`[T, 88]` from JSON: a list of steps, or an object that has one under `key`. Raises UserError as `roll` does."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not JSON ({error}): expected a piece such as {_EXAMPLE}") from None
    if isinstance(value, dict):
        if key not in value:
            raise UserError(f"{place}: there is no {key!r}: expected a piece such as {_EXAMPLE}")
        value = value[key]
    return roll(value, place)


class PianoRolls(PublicSet[Loaded[Pieces]]):
    """Files of the user where `train` is given, else a `PublicSet`, read by `NotesColumn`.

    name: of the set, for people.
    notes_column, validation_fraction, test_fraction, split_seed: also of the files.

    Raises UserError for a set that is neither on the Hub nor in a mirror.
    """

    reading = NotesColumn

    def __init__(
        self,
        name: str,
        hub: Mapping[str, object] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        **columns: Annotated[object, ArgumentsOf("reading")],
    ) -> None:
        settings = self.hub_settings(hub)
        if train:
            read: Callable[..., RollFiles] = RollFiles
            own = {key: value for key, value in columns.items() if key != "splits"}
            self.set = read(train, validation, test, **own)
            return
        place = settings.get("id") or (mirror and mirror_path)
        if not place:
            raise UserError(
                f"{name} is not on the Hub: give a directory in Hub layout that has "
                f"{mirror_path or 'it'}, data.mirror=DIR (or LIGHTNING_SEQ_MIRROR), "
                f"or files of your own, data.train=FILE with a piece a line, {_EXAMPLE}"
            )
        super().__init__({**settings, "id": place}, mirror, mirror_path, mirror_config, **columns)
