"""Utterances with transcripts, and their reading from the columns of a public set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import numpy as np

from lightning_seq.data.audio import AudioFile, Recording
from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns, names_of, texts_of
from lightning_seq.data.sources.hub import WithNotes
from lightning_seq.data.sources.keys import NameColumns
from lightning_seq.data.sources.public import PublicSet
from lightning_seq.data.sources.table import Cut, Examples, Keys, Loaded, Source
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.printable import number_of
from lightning_seq.value_types import ArgumentsOf

L = TypeVar("L", bound=WithNotes)
Utterance: TypeAlias = "Recording | np.ndarray"
"""A recording, or ready features `[T, D]`."""


@dataclass(frozen=True)
class SpeechTable(Examples):
    """Utterances and their transcripts: the examples of one split.

    rows:   the argument of `read` for each utterance.
    read:   gives the utterance; it is called once for each, in order.
    ids:    of the source: rows, lines.
    spans:  of each utterance, for each symbol of its transcript the seconds from and to (exclusive) in which it sounds;
            None where they are unknown.
    keys:   the values of the user's own column of ids, or None.
    groups: the speakers, or None.
    """

    rows: list[int]
    read: Callable[[int], Utterance]
    texts: list[str]
    ids: list[int]
    spans: list[list[tuple[float, float]]] | None = None
    keys: Keys | None = None
    groups: Keys | None = None


SpeechSource: TypeAlias = Source[Loaded[SpeechTable]]


@dataclass(frozen=True)
class AudioCells:
    """The recordings, or the ready features, of a column of a public set. name: of the split, for people."""

    rows: ColumnRows
    column: str
    name: str

    def __call__(self, row: int) -> Utterance:
        """Raises UserError for another value."""
        (cell,) = self.rows.select([row])[self.column]
        place = f"{self.name}, row {row}"
        if isinstance(cell, list | np.ndarray):
            return frames_of(cell, place)
        if isinstance(cell, Mapping) and isinstance(content := cell.get("bytes"), bytes):
            return AudioFile(f"{place}, {cell.get('path') or self.column}", content)
        if isinstance(cell, Mapping) and isinstance(path := cell.get("path"), str):
            return AudioFile(f"{place}, {path}", Path(path))
        raise UserError(
            f"{place}: {self.column!r} holds no recording: expected a column of audio, or of lists of frames "
            "(data.audio_column)"
        )


def frames_of(value: object, place: str) -> np.ndarray:
    """Ready features `[T, D]`. Raises UserError, with the place, for other values."""
    try:
        frames = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError):
        frames = np.zeros(0, dtype=np.float32)
    if frames.ndim != 2 or not frames.size or not np.isfinite(frames).all():
        raise UserError(f"{place}: expected ready features as a list of frames, each of equally many finite numbers")
    return frames


def undecoded_audio(rows: ColumnRows, column: str, name: str) -> AudioCells:
    """The cells of a column of recordings, not yet decoded, or of ready features."""
    import datasets

    if isinstance(rows.features[column], datasets.Audio):
        rows = rows.cast_column(column, datasets.Audio(decode=False))  # type: ignore[attr-defined]
    return AudioCells(rows, column, name)


@dataclass(frozen=True)
class SpeechColumns(NameColumns, Reading[Loaded[SpeechTable]], Cut):
    """Reads utterances with transcripts.

    audio_column: of recordings (`datasets.Audio`, or files as `{bytes, path}`), or of ready features, a list of frames.
    text_column:  of their transcripts.
    group_column: of speakers.
    """

    audio_column: str = "audio"
    text_column: str = "text"

    def to_plain(self) -> Plain:
        return {
            "audio": self.audio_column,
            "text": self.text_column,
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[SpeechTable]:
        """Leaves out rows without a transcript, with a note. Raises UserError for a missing split or column."""
        tables, notes = {}, []
        for split, rows, place in self.chosen(sets, name):
            check_columns(rows, {"audio_column": self.audio_column}, place)
            texts = texts_of(rows, "text_column", self.text_column, place)
            kept = [row for row, text in enumerate(texts) if text.strip()]
            if lost := len(texts) - len(kept):
                notes.append(f"{split}: {number_of(lost, 'utterance')} without a transcript left out")
            keys, groups = names_of(rows, self, place, kept)
            read = undecoded_audio(rows, self.audio_column, place)
            own = [texts[row] for row in kept]
            tables[split] = SpeechTable([*kept], read, own, [*kept], keys=keys, groups=groups)
        return self.loaded(tables, revision=revision, notes=notes)


class SpeechSet(PublicSet[L]):
    """A public set of recordings. Raises UserError as `PublicSet` does, and for one that is neither on the Hub nor in a
    mirror."""

    def __init__(
        self,
        hub: Mapping[str, object] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        **columns: Annotated[object, ArgumentsOf("reading")],
    ) -> None:
        settings = {key: value for key, value in self.hub_settings(hub).items() if value is not None}
        if not mirror and "id" not in settings:
            raise UserError(
                f"{mirror_path or 'the set'} is not on the Hub: give a directory in Hub layout that has it, "
                "data.mirror=DIR (or LIGHTNING_SEQ_MIRROR)"
            )
        super().__init__({"id": mirror_path, **settings}, mirror, mirror_path, mirror_config, **columns)


class PublicSpeech(SpeechSet[Loaded[SpeechTable]]):
    """Utterances with transcripts."""

    reading = SpeechColumns
