"""Pictures with captions, and their reading from the columns of a public set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lightning_seq.data.pictures import Box, Picture, PictureFile, Pixels
from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, check_columns, names_of
from lightning_seq.data.sources.keys import NameColumns
from lightning_seq.data.sources.table import Cut, Examples, Keys, Loaded, Source
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.printable import number_of

Region: TypeAlias = tuple[int, int, Box]
"""Characters of a caption, from and to (exclusive), and the box of the picture that they name."""


@dataclass(frozen=True)
class CaptionTable(Examples):
    """Pictures and their captions: the examples of one split.

    captions: of each picture, at least one.
    ids:      of the source: rows, lines.
    regions:  of each picture and each of its captions; None where they are unknown.
    keys:     the values of the user's own column of ids, or None.
    groups:   the values of the user's own column of groups, or None.
    """

    pictures: list[Picture]
    captions: list[list[str]]
    ids: list[int]
    regions: list[list[list[Region]]] | None = None
    keys: Keys | None = None
    groups: Keys | None = None


CaptionSource: TypeAlias = Source[Loaded[CaptionTable]]


@dataclass(frozen=True)
class CaptionColumns(NameColumns, Reading[Loaded[CaptionTable]], Cut):
    """Reads pictures with captions.

    picture_column: of pictures (`datasets.Image`).
    caption_column: of a text, or of a list of texts, each row; or a list of such columns.
    language:       of captions by language, `{en: …, de: …}`, in the column `languages_column`; None: the column of
                    captions.
    label_column, label: where they are given, only rows with that value are read.
    picture_id_column: of a value that rows of one picture share: their captions are those of one picture; None: each
                    row has a picture of its own.
    """

    picture_column: str = "image"
    caption_column: str | Sequence[str] = "caption"
    language: str | None = None
    languages_column: str = "captions"
    label_column: str | None = None
    label: str | None = None
    picture_id_column: str | None = None

    def to_plain(self) -> Plain:
        return {
            "picture": self.picture_column,
            "caption": self.caption_column if isinstance(self.caption_column, str) else list(self.caption_column),
            "language": [self.languages_column, self.language] if self.language else None,
            "label": [self.label_column, self.label] if self.label_column else None,
            "splits": self.own_splits,
            "cut": self.shares(),
            **({"picture_id": self.picture_id_column} if self.picture_id_column else {}),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[CaptionTable]:
        """Leaves out rows without a caption, with a note.

        Raises UserError for a missing split, column or language, and for a value that is no picture or no text.
        """
        tables, notes = {}, []
        for split, rows, place in self.chosen(sets, name):
            tables[split], empty = self._table(rows, place)
            if empty:
                notes.append(f"{split}: {number_of(empty, 'picture')} without a caption left out")
        return self.loaded(tables, revision=revision, notes=notes)

    def _table(self, rows: ColumnRows, name: str) -> tuple[CaptionTable, int]:
        given = self.languages_column if self.language else self.caption_column
        of_captions = [given] if isinstance(given, str) else [*given]
        check_columns(rows, {"picture_column": self.picture_column}, name)
        chosen = {"label_column": self.label_column, "picture_id_column": self.picture_id_column}
        check_columns(rows, {key: column for key, column in chosen.items() if column}, name)
        for column in of_captions:
            check_columns(rows, {"languages_column" if self.language else "caption_column": column}, name)
        wanted = _wanted(rows, self.label_column, self.label, name)
        pictures, captions, ids, empty = list[Picture](), list[list[str]](), list[int](), 0
        contents = undecoded_rows(rows, self.picture_column, name)
        numbers: Iterable[object] = rows[self.picture_id_column] if self.picture_id_column else range(len(rows))
        places = dict[object, int]()
        for row, (number, *written) in enumerate(zip(numbers, *(rows[column] for column in of_captions), strict=True)):
            if not wanted(row):
                continue
            texts = [text for cell in written for text in self._texts(cell, f"{name}, row {row}")]
            if not texts:
                empty += 1
            elif number in places:
                captions[places[number]] += texts
            else:
                places[number] = len(pictures)
                pictures.append(RowPicture(f"{name}, row {row}", contents, self.picture_column, row))
                captions.append(texts)
                ids.append(row)
        keys, groups = names_of(rows, self, name, ids)
        return CaptionTable(pictures, captions, ids, keys=keys, groups=groups), empty

    def _texts(self, cell: Plain, place: str) -> list[str]:
        if self.language:
            if not isinstance(cell, Mapping) or self.language not in cell:
                choices = list(cell) if isinstance(cell, Mapping) else []
                raise UserError(
                    f"{place}: there is no language {self.language!r} (data.language); {near(self.language, choices)}"
                )
            cell = cell[self.language]
        texts = cell if isinstance(cell, list) else [cell]
        for text in texts:
            if text is not None and not isinstance(text, str):
                raise UserError(f"{place}: a caption is {type(text).__name__}, expected text: give data.caption_column")
        return [text for text in texts if text and text.strip()]


def _wanted(rows: ColumnRows, column: str | None, label: str | None, name: str) -> Callable[[int], bool]:
    """Whether a row has the wanted label."""
    if column is None:
        return lambda row: True
    names = getattr(rows.features[column], "names", None)
    values = [names[value] if names and isinstance(value, int) else str(value) for value in rows[column]]
    if label not in values:
        raise UserError(f"{name}: no row has {column}={label} (data.label); {near(str(label), set(values))}")
    return lambda row: values[row] == label


def undecoded(rows: ColumnRows, column: str, name: str) -> Iterable[object]:
    """The cells of a column of pictures as `{bytes, path}`: a picture is decoded when it is needed."""
    return undecoded_rows(rows, column, name)[column]


def undecoded_rows(rows: ColumnRows, column: str, name: str) -> ColumnRows:
    """The rows with cells `{bytes, path}` in a column of pictures."""
    import datasets

    if not isinstance(rows.features[column], datasets.Image):
        raise UserError(
            f"{name}: column {column!r} holds no pictures (data.picture_column): expected a column of images"
        )
    made: ColumnRows = rows.cast_column(column, datasets.Image(decode=False))  # type: ignore[attr-defined]
    return made


@dataclass(frozen=True, repr=False)
class RowPicture:
    """The picture of a row. Its file is read when it is decoded: the files of a set may be larger than the memory.

    rows: see `undecoded_rows`.
    """

    name: str
    rows: ColumnRows
    column: str
    row: int

    def read(self) -> Pixels:
        (cell,) = self.rows.select([self.row])[self.column]
        return picture_of(cell, self.name, self.column).read()


def picture_of(cell: object, place: str, column: str) -> PictureFile:
    """The picture in a cell `{bytes, path}`. Raises UserError for an empty cell."""
    from pathlib import Path

    if isinstance(cell, Mapping) and isinstance(content := cell.get("bytes"), bytes):
        return PictureFile(f"{place}, {cell.get('path') or column}", content)
    if isinstance(cell, Mapping) and isinstance(path := cell.get("path"), str):
        return PictureFile(f"{place}, {path}", Path(path))
    raise UserError(f"{place} has no picture in {column!r}: expected one in every row with a caption")
