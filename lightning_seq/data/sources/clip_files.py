"""Clips of the user: a folder for each class, or a file that names clips."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from lightning_seq.data.clips import ENDINGS, PICTURES, Clip, ClipFile, ClipPicture, by_number, mark
from lightning_seq.data.sources.captions import CaptionTable
from lightning_seq.data.sources.clip_table import ClipTable
from lightning_seq.data.sources.keys import NameColumns, checked_keys, typed_keys
from lightning_seq.data.sources.split_files import SplitFiles, decoded, split_file
from lightning_seq.data.sources.table import Cut, Keys, Loaded
from lightning_seq.data.sources.vector_table import Target
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.column import delimiter_of, records
from lightning_seq.text.lines import check_characters

PATHS = ("path", "file_name", "file", "video", "clip", "filename")
FORMS = "a csv or tsv file with the columns path and {}, or a directory with a folder of clips for each class"
Record = tuple[int, dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class ClipIndex(NameColumns, SplitFiles, Cut):
    """Clips that a csv or tsv file names; a path is relative to `clips`.

    clips:       the directory of the clips; None: that of the file.
    path_column: None: the first of the usual names in the file.
    """

    clips: str | None = None
    path_column: str | None = None

    usual: ClassVar[Mapping[str, Sequence[str]]] = {}
    """By setting, the usual names of the further columns."""
    advice = "give data.train=INDEX.csv with the columns path and label, or a directory with a folder for each class"

    def identity(self) -> Plain:
        files = {
            split: [[line, values, mark(clip.path)] for line, values, clip in rows]
            for split, rows in self._rows.items()
        }
        return {"clips": files, "cut": self.shares(), **self.encoded(), **self.names_to_plain(), **self._settings()}

    def paths(self) -> dict[str, Path]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        folders = {split: path for split, own in given.items() if own and (path := Path(own).expanduser()).is_dir()}
        files = {split: own for split, own in given.items() if own and split not in folders}
        folders |= {split: split_file(split, Path(own).expanduser()) for split, own in files.items()}
        return {split: folders[split] for split in given if split in folders}

    def _settings(self) -> dict[str, Plain]:
        return {"path": self.path_column, **{setting: getattr(self, setting) for setting in self.usual}}

    @cached_property
    def _rows(self) -> dict[str, list[tuple[int, dict[str, str], ClipFile]]]:
        return {
            split: [(line, values, clip) for line, values, clip in self._of(path)]
            for split, path in self.paths().items()
        }

    def _of(self, path: Path) -> Iterator[tuple[int, dict[str, str], ClipFile]]:
        if path.is_dir():
            yield from self._folders(path)
            return
        root = Path(self.clips).expanduser() if self.clips else path.parent
        if not root.is_dir():
            raise UserError(f"data.clips={self.clips} is not a directory: expected the one with the clips")
        for line, values in self._records(path):
            name = values["path_column"].strip()
            check_characters(f"{path}, line {line}", name)
            if not name or not (root / name).exists():
                raise UserError(
                    f"{path}, line {line}: the clip {name or '(no name)'} is not in {root}; give their directory as "
                    "data.clips=DIR"
                )
            yield line, values, ClipFile(name, root / name)

    def _folders(self, path: Path) -> Iterator[tuple[int, dict[str, str], ClipFile]]:
        if "label_column" not in self.usual:
            raise UserError(f"{path} is a directory: expected a csv or tsv file with a target for each clip")
        folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and folder.name[0] != ".")
        number = 0
        for folder in folders:
            for one in sorted(folder.iterdir(), key=lambda file: by_number(file.name)):
                if one.name[0] == "." or not (one.is_dir() or one.suffix.lower() in ENDINGS):
                    continue
                number += 1
                yield number, {"label_column": folder.name}, ClipFile(f"{folder.name}/{one.name}", one)
        if not number:
            raise UserError(f"{path} has no clip: expected {FORMS.format('label')}")

    def _records(self, path: Path) -> Iterator[Record]:
        """The lines of a file by setting. Raises UserError for a missing column or value."""
        if path.suffix.lower() not in (".csv", ".tsv"):
            expected = FORMS.format(" or ".join(map(str, [names[0] for names in self.usual.values()])))
            raise UserError(f"{path} ends in {path.suffix or 'nothing'}: expected {expected}")
        text = decoded(path, self.encoding)
        first = text.lstrip("\r\n").partition("\n")[0]
        names = {"path_column": PATHS, **self.usual}
        tabs = path.suffix.lower() == ".tsv"
        known = [getattr(self, setting) or usual[0] for setting, usual in names.items()]
        rows = records(
            io.StringIO(text, newline="\n"), "\t" if tabs else delimiter_of(first, known), not tabs, str(path)
        )
        header = next([name.strip() for name in row] for *_, row in rows if row)
        columns = {**self.name_columns()}
        for setting, usual in names.items():
            chosen = getattr(self, setting) or next((name for name in usual if name in header), None)
            if chosen is None:
                raise UserError(
                    f"{path} has no column {' or '.join(map(repr, usual))}: its columns are {', '.join(header)}; give "
                    f"data.{setting}=NAME"
                )
            columns[setting] = chosen
        for setting, name in columns.items():
            if header.count(name) != 1:
                raise UserError(
                    f"{path} has {header.count(name) or 'no'} column{'s' * (header.count(name) > 1)} {name!r} "
                    f"(data.{setting}): its columns are {', '.join(header)}"
                )
        for line, _, row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise UserError(f"{path}, line {line}: {len(row)} values where the header has {len(header)}")
            yield line, {setting: row[header.index(name)] for setting, name in columns.items()}

    def _names(self, split: str, setting: str) -> Keys | None:
        """The ids or groups of a split; None without such a column."""
        if not getattr(self, setting) or self.paths()[split].is_dir():
            return None
        rows = self._rows[split]
        values, place = [values[setting] for _, values, _ in rows], self.paths()[split]
        column = str(getattr(self, setting))
        return typed_keys([checked_keys(values, column, lambda row: f"{place}, line {rows[row][0]}", setting)], True)[0]


@dataclass(frozen=True, kw_only=True)
class ClipTargets(ClipIndex, ABC):
    """Clips with one target each."""

    def load(self) -> Loaded[ClipTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        return self.loaded({split: self._table(split) for split in self.paths()})

    def _table(self, split: str) -> ClipTable:
        rows = self._rows[split]
        clips: list[Clip] = [clip for *_, clip in rows]
        keys, groups = (self._names(split, setting) for setting in ("id_column", "group_column"))
        targets = [self._target(values, f"{self.paths()[split]}, line {line}") for line, values, _ in rows]
        ids, origin = [line for line, *_ in rows], str(self.paths()[split])
        return ClipTable(clips, targets, ids, origin, keys, groups)

    @abstractmethod
    def _target(self, values: dict[str, str], place: str) -> Target:
        """Raises UserError, with the place, for a missing one."""


@dataclass(frozen=True, kw_only=True)
class ClipFiles(ClipTargets):
    """Clips with a class each: from an index, or a directory with a folder of clips for each class.

    label_column: None: `label`, `class` or `category`.
    """

    label_column: str | None = None

    usual: ClassVar = {"label_column": ("label", "class", "category")}

    def _target(self, values: dict[str, str], place: str) -> Target:
        label = values["label_column"].strip()
        if not label:
            raise UserError(f"{place}: the label is missing, expected a class")
        check_characters(place, label)
        return label


@dataclass(frozen=True, kw_only=True)
class ClipTags(ClipTargets):
    """Clips with a class for each frame: labels with spaces between them, `-` for a frame that does not count.

    tags_column: None: `tags` or `labels`.
    """

    tags_column: str | None = None

    usual: ClassVar = {"tags_column": ("tags", "labels")}
    advice = "give data.train=INDEX.csv with the columns path and tags (a label for each frame, with spaces between)"

    def _target(self, values: dict[str, str], place: str) -> Target:
        check_characters(place, values["tags_column"])
        return [None if label == "-" else label for label in values["tags_column"].split()]


@dataclass(frozen=True, kw_only=True)
class UnlabelledClips(ClipTargets):
    """Clips alone, whose targets are their next frames: an index, or a directory of clips."""

    advice = "give data.train=INDEX.csv with the column path, or a directory of clips"

    def _folders(self, path: Path) -> Iterator[tuple[int, dict[str, str], ClipFile]]:
        clips = [
            one
            for one in sorted(path.iterdir(), key=lambda file: by_number(file.name))
            if one.name[0] != "." and (one.is_dir() or one.suffix.lower() in ENDINGS)
        ]
        if not clips:
            raise UserError(f"{path} has no clip: expected folders of frames ({', '.join(PICTURES)}), or files")
        yield from ((number, {}, ClipFile(one.name, one)) for number, one in enumerate(clips, 1))

    def _target(self, values: dict[str, str], place: str) -> Target:
        return ""


@dataclass(frozen=True, kw_only=True)
class ClipCaptions(ClipIndex):
    """Clips with captions; a clip that several lines name has several captions.

    caption_column: None: `caption`, `text` or `sentence`.
    """

    caption_column: str | None = None

    usual: ClassVar = {"caption_column": ("caption", "text", "sentence")}
    advice = "give data.train=INDEX.csv with the columns path and caption"

    def load(self) -> Loaded[CaptionTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        return self.loaded({split: self._table(split) for split in self.paths()})

    def _table(self, split: str) -> CaptionTable:
        captions, clips, ids = dict[str, list[str]](), dict[str, ClipFile](), dict[str, int]()
        for line, values, clip in self._rows[split]:
            check_characters(f"{self.paths()[split]}, line {line}", values["caption_column"])
            captions.setdefault(clip.name, []).append(values["caption_column"])
            clips.setdefault(clip.name, clip)
            ids.setdefault(clip.name, line)
        rows = {line: values for line, values, _ in self._rows[split]}
        groups: Keys | None = [rows[line]["group_column"] for line in ids.values()] if self.group_column else None
        pictures = [ClipPicture(clip) for clip in clips.values()]
        return CaptionTable([*pictures], [*captions.values()], [*ids.values()], groups=groups)
