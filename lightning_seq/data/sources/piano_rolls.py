"""Polyphonic music as sets of notes, step by step: from a public set's column, or from files of the user's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lightning_seq.data.sources.columns import check_columns, check_splits, chosen_splits
from lightning_seq.data.sources.files import decoded
from lightning_seq.data.sources.public import PublicSet, hub_settings
from lightning_seq.data.sources.table import SPLITS, Cut, Loaded, Source
from lightning_seq.data.sources.text_column import check_trainable
from lightning_seq.data.sources.text_files import given_files
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, sha256
from lightning_seq.text.lines import split_lines
from lightning_seq.value_types import Fraction, Seed

NOTES = range(21, 109)
"""MIDI numbers of a piano's 88 keys, A0 to C8."""

_EXAMPLE = '{"notes": [[60, 64, 67], [], [62]]}'


@dataclass(frozen=True)
class Pieces:
    """The pieces of one split.

    rolls: by piece `[T, 88]` uint8, 1 where a note of `NOTES` sounds; T is at least 1.
    ids:   what the source calls each: its row, or its line in the file.
    """

    rolls: list[np.ndarray]
    ids: list[int]

    @property
    def strata(self) -> Sequence[str]:
        return [""] * len(self)

    def __len__(self) -> int:
        return len(self.rolls)

    def take(self, rows: Iterable[int]) -> Pieces:
        rows = list(rows)
        return Pieces([self.rolls[row] for row in rows], [self.ids[row] for row in rows])


PiecesSource: TypeAlias = Source[Loaded[Pieces]]


def roll(notes: Any, place: str) -> np.ndarray:
    """`[T, 88]` uint8 from a list with a list of MIDI numbers for each step.

    Raises UserError, with the place and the step, for anything else.
    """
    if not isinstance(notes, list) or not notes:
        raise UserError(f"{place}: {_shown(notes)} came, expected a list of steps, each a list of notes: {_EXAMPLE}")
    found = np.zeros((len(notes), len(NOTES)), dtype=np.uint8)
    for step, sounding in enumerate(notes, 1):
        if not isinstance(sounding, list) or not all(type(note) is int and note in NOTES for note in sounding):
            raise UserError(
                f"{place}, step {step}: {_shown(sounding)} came, expected a list of MIDI numbers from "
                f"{NOTES[0]} to {NOTES[-1]}: transpose the piece, or leave the note out"
            )
        found[step - 1, [note - NOTES[0] for note in sounding]] = 1
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:60]} …"


@dataclass(frozen=True)
class NotesColumn:
    """Which column and splits of a public set are used.

    notes_column: a row is a piece: a list of steps, each a list of MIDI numbers.
    splits: by our name (train, validation, test) the set's own; null where ours is cut from train.
    cut:    how a split that the set does not have is cut.
    """

    notes_column: str = "notes"
    splits: Mapping[str, str | None] = field(default_factory=lambda: {split: split for split in SPLITS})
    cut: Cut = field(default_factory=Cut)

    def __post_init__(self) -> None:
        check_splits(self.splits)

    def to_plain(self) -> Plain:
        return {
            "notes": self.notes_column,
            "splits": {split: self.splits.get(split) for split in SPLITS},
            "cut": self.cut.to_plain(),
        }

    def read(self, sets: Any, name: str, revision: str | None) -> Loaded[Pieces]:
        """Pieces from a `datasets.DatasetDict`. Raises UserError for a split, column or note that cannot be."""
        check_trainable(sets, self.splits, name)
        tables = {}
        for split, rows, place in chosen_splits(sets, self.splits, name):
            check_columns(rows, {"notes_column": self.notes_column}, place)
            rolls = [roll(notes, f"{place}, row {row}") for row, notes in enumerate(rows[self.notes_column])]
            tables[split] = Pieces(rolls, list(range(len(rolls))))
        completed, notes = self.cut.completed(tables)
        return Loaded(completed, revision=revision, notes=notes)


@dataclass(frozen=True)
class RollFiles:
    """Json lines, a piece a line, as `{"notes": [[60, 64, 67], [], [62]]}`; a file per split, or cut from train."""

    train: str | None
    validation: str | None = None
    test: str | None = None
    notes_column: str = "notes"
    cut: Cut = field(default_factory=Cut)

    def describe(self) -> str:
        return Path(str(self.train)).name

    def identity(self) -> Plain:
        return {
            "rolls": self.notes_column,
            "files": {split: sha256(path) for split, path in given_files(self.train, self.validation, self.test)},
            "cut": self.cut.to_plain(),
        }

    def load(self) -> Loaded[Pieces]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables = {}
        for split, path in given_files(self.train, self.validation, self.test):
            found = list(self._pieces(path))
            tables[split] = Pieces([piece for _, piece in found], [line for line, _ in found])
        completed, notes = self.cut.completed(tables)
        return Loaded(completed, notes=notes)

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


class PianoRolls:
    """Files of the user's own where `train` is given, else a public set of a mirror or of the Hub.

    name: of the set, for people.
    hub, mirror, mirror_path, mirror_config: see `PublicSet`.
    notes_column, splits: see `NotesColumn`; `notes_column` is the key in files too.
    validation_fraction, test_fraction, split_seed: see `Cut`.

    Raises UserError for a set that is neither on the Hub nor in a mirror.
    """

    def __init__(
        self,
        name: str,
        hub: dict[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        notes_column: str = "notes",
        splits: dict[str, str | None] | None = None,
        validation_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        split_seed: Seed = 1,
    ) -> None:
        cut = Cut(validation_fraction, test_fraction, split_seed)
        columns = {"notes_column": notes_column, "splits": splits}
        given = hub_settings(hub, *columns)
        place = given.get("id") or (mirror and mirror_path)
        self.source: PiecesSource
        if train:
            self.source = RollFiles(train, validation, test, notes_column, cut)
        elif place:
            reading, own = partial(NotesColumn, cut=cut), {**given, "id": place}
            self.source = PublicSet[Loaded[Pieces]](reading, columns, own, mirror, mirror_path, mirror_config)
        else:
            raise UserError(
                f"{name} is not on the Hub: give a directory in Hub layout that has "
                f"{mirror_path or 'it'}, data.mirror=DIR (or LIGHTNING_SEQ_MIRROR), "
                f"or files of your own, data.train=FILE with a piece a line, {_EXAMPLE}"
            )

    def describe(self) -> str:
        return self.source.describe()

    def identity(self) -> Plain:
        return self.source.identity()

    def load(self) -> Loaded[Pieces]:
        """Raises UserError as the files, the mirror or the Hub do."""
        return self.source.load()
