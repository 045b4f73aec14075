"""Utterances with transcripts in files of the user."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from lightning_seq.data.audio import SUFFIXES, AudioFile
from lightning_seq.data.sources.picture_files import PictureFiles, is_inside
from lightning_seq.data.sources.speech import SpeechTable, Utterance
from lightning_seq.data.sources.table import Keys, Loaded
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.printable import number_of
from lightning_seq.text.lines import check_characters

FORMS = "csv, tsv (a header with columns of files and transcripts) or jsonl (objects with audio and text)"


@dataclass(frozen=True)
class SpeechFiles(PictureFiles):
    """Manifests that name recordings and their transcripts: csv, tsv or jsonl, by their ending. A directory stands for
    the `metadata.jsonl` or `metadata.csv` in it.

    audio: the directory of the recordings; None: that of the manifest.
    audio_column, text_column, group_column (of speakers): None: the first of the usual names in the file; a file may
    lack a column of speakers.
    """

    audio: str | None = None
    audio_column: str | None = None
    text_column: str | None = None
    group_column: str | None = None

    advice = f"give data.train=FILE: {FORMS}; or a directory with metadata.jsonl or metadata.csv"
    forms = FORMS
    usual: ClassVar = {
        "audio_column": ("audio", "file_name", "path", "audio_filepath", "wav", "file"),
        "text_column": ("text", "transcript", "transcription", "sentence", "words"),
    }
    optional: ClassVar = {"group_column": ("speaker", "speaker_id", "client_id", "spk_id")}

    def identity(self) -> Plain:
        files = {
            split: [[*map(_mark, self._recordings[split])], table.texts, table.groups]
            for split, table in self._tables[0].items()
        }
        return {"speech": fingerprint(files), "cut": self.shares(), **self.encoded()}

    def load(self) -> Loaded[SpeechTable]:
        """Raises UserError, with file and line, for a mistake in the manifests, and for a missing recording."""
        tables, notes = self._tables
        return self.loaded(tables, notes=notes)

    def given(self) -> Collection[str]:
        return self._tables[0].keys()

    @property
    def _recordings(self) -> dict[str, list[AudioFile]]:
        return {split: [table.read(row) for row in table.rows] for split, table in self._tables[0].items()}  # type: ignore[misc]

    @cached_property
    def _tables(self) -> tuple[dict[str, SpeechTable], list[str]]:
        notes = list[str]()
        return {split: self._table(path, notes, split) for split, path in self.paths().items()}, notes

    def _table(self, path: Path, notes: list[str], split: str) -> SpeechTable:
        readers = {".csv": self.separated, ".tsv": self.separated, ".jsonl": self.objects}
        read = readers.get(path.suffix.lower())
        if read is None:
            raise self.wrong_ending(path)
        root = Path(self.audio).expanduser() if self.audio else path.parent
        if not root.is_dir():
            raise UserError(f"data.audio={self.audio} is not a directory: expected the one with the recordings")
        files, texts, lines, speakers, empty = list[Utterance](), list[str](), list[int](), list[str](), 0
        for line, record in read(path):
            place, name, text = f"{path}, line {line}", record["audio_column"], record["text_column"]
            for value, setting in ((name, "audio_column"), (text, "text_column")):
                if not isinstance(value, str):
                    raise UserError(f"{place}: {value!r} came, expected a text: give data.{setting}")
                check_characters(place, value)
            if not str(text).strip():
                empty += 1
                continue
            files.append(_file(root, str(name), place))
            texts.append(str(text))
            lines.append(line)
            speakers += [str(record["group_column"])] if "group_column" in record else []
        if empty:
            notes.append(f"{split}: {number_of(empty, 'utterance')} without a transcript left out")
        groups: Keys | None = [*speakers] if len(speakers) == len(texts) and speakers else None
        return SpeechTable([*range(len(files))], files.__getitem__, texts, lines, groups=groups)


def _file(root: Path, name: str, place: str) -> AudioFile:
    """Raises UserError for a missing recording, and for one outside the directory of the recordings."""
    if not is_inside(root, name):
        raise UserError(f"{place} names the recording {name!r}: expected a file in {root}")
    if not (root / name).is_file():
        with_ending = [name + suffix for suffix in SUFFIXES if (root / (name + suffix)).is_file()]
        if not with_ending:
            raise UserError(
                f"{place}: the recording {name} is not in {root}; give the directory of the recordings as "
                "data.audio=DIR"
            )
        name = with_ending[0]
    return AudioFile(name, root / name)


def _mark(recording: AudioFile) -> list[Plain]:
    """Name, size and time of a recording's file: another content has another one."""
    if not isinstance(recording.content, Path):
        raise TypeError(f"{recording.name} is in no file")
    stat = recording.content.stat()
    return [recording.name, stat.st_size, stat.st_mtime_ns]
