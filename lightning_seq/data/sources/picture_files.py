"""Files of the user that name pictures and say something of each."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import ClassVar

from lightning_seq.data.pictures import Picture, PictureFile
from lightning_seq.data.sources.split_files import SplitFiles, decoded
from lightning_seq.data.sources.table import Cut
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, Plain, parse_json
from lightning_seq.text.column import delimiter_of, json_object, records
from lightning_seq.text.lines import check_characters, split_lines

PICTURE_NAMES = ("file_name", "image", "picture", "path", "filename")
"""The usual names of a column of pictures."""
Record = tuple[int, dict[str, object]]
"""The line that a record begins on, and its values by the settings of their columns."""


@dataclass(frozen=True)
class PictureFiles(SplitFiles, Cut):
    """A directory stands for the `metadata.jsonl` or `metadata.csv` in it.

    pictures: the directory of the pictures; None: that of the file.
    """

    pictures: str | None = None

    forms: ClassVar[str]
    """Of the files, for people."""
    usual: ClassVar[Mapping[str, Sequence[str]]]
    """The usual names of each column by its setting, for files that the setting does not name."""
    optional: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The same of columns that a file may lack."""

    def paths(self) -> dict[str, Path]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        found = {split: str(_metadata(split, Path(path).expanduser())) for split, path in given.items() if path}
        return SplitFiles(**found, encoding=self.encoding).paths()  # type: ignore[arg-type]

    def separated(self, path: Path) -> Iterator[Record]:
        """The records of a csv or tsv file. Raises UserError, with the line, for a missing column or value."""
        text = decoded(path, self.encoding)
        first = text.lstrip("\r\n").partition("\n")[0]
        tabs = path.suffix.lower() == ".tsv"
        names = product(*([own] if (own := getattr(self, key)) else usual for key, usual in self.usual.items()))
        fitting = (mark for some in names if (mark := delimiter_of(first, some)) != ",")
        delimiter = "\t" if tabs else next(fitting, ",")
        rows = records(io.StringIO(text, newline="\n"), delimiter, not tabs, str(path))
        header = next([name.strip() for name in row] for *_, row in rows if row)
        columns = self._columns(str(path), header)
        for line, _, row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise UserError(
                    f"{path}, line {line}: {len(row)} values where the header has {len(header)}: expected "
                    'a value for every column; a text with a delimiter in it needs quotes ("…")'
                )
            yield line, {setting: row[header.index(column)] for setting, column in columns.items()}

    def objects(self, path: Path) -> Iterator[Record]:
        """The records of a jsonl file. Raises UserError, with the line, for a missing column."""
        for line, content in enumerate(split_lines(decoded(path, self.encoding)), 1):
            if content.strip():
                where = f"{path}, line {line}"
                record = json_object(content, where, PICTURE_NAMES[0])
                yield line, {setting: record[name] for setting, name in self._columns(where, list(record)).items()}

    def _columns(self, where: str, header: Sequence[str]) -> dict[str, str]:
        """The names of the columns of a file, by their settings."""
        chosen = {}
        for setting, usual in {**self.usual, **self.optional}.items():
            name = getattr(self, setting) or next((name for name in usual if name in header), None)
            if name is None and setting in self.optional:
                continue
            if name is None or name not in header:
                missing = " or ".join(map(repr, [name] if name else usual))
                raise UserError(
                    f"{where} has no column {missing}: its columns are {', '.join(header)}; give data.{setting}=NAME"
                )
            if header.count(name) > 1:
                raise UserError(f"{where} has {header.count(name)} columns called {name!r}: expected one")
            chosen[setting] = name
        return chosen

    def json(self, path: Path) -> dict[str, Plain]:
        """The object in a file. Raises UserError for another content."""
        return read_object(path, self.encoding, self.forms)

    def wrong_ending(self, path: Path) -> UserError:
        return UserError(f"{path} ends in {path.suffix or 'nothing'}: expected {self.forms}")

    def files(
        self, path: Path, lines: Mapping[str, int], folder: str = "", unit: str = "line"
    ) -> dict[str, PictureFile]:
        """The pictures, by name.

        lines: the line, or other unit, that names each first; folder: of pictures that are not in the root.

        Raises UserError for a missing picture, and for one outside the directory of the pictures.
        """
        root, files = picture_root(self.pictures, path), {}
        for name in lines:
            check_characters(f"{path}, {unit} {lines[name]}", name)
            places = [_inside(root, one, path) for one in (name, f"{folder}/{name}" if folder and name else name)]
            files[name] = next(filter(_is_file, places), places[0])
        missing = [name for name, file in files.items() if not _is_file(file)]
        if missing:
            raise UserError(
                f"{path}, {unit} {lines[missing[0]]}: the picture {missing[0]} is not in {root} "
                f"({len(missing):,} of {len(files):,} are missing); give their directory as data.pictures=DIR"
            )
        return {name: PictureFile(name, file) for name, file in files.items()}


def read_object(path: Path, encoding: str, forms: str) -> dict[str, Plain]:
    """The JSON object in a file. forms: of such files, for people. Raises UserError for another content."""
    try:
        return parse_json(decoded(path, encoding), dict)
    except DamagedError as error:
        raise UserError(f"{path} cannot be read ({error}): expected {forms}") from None


def not_in_form(where: Path | str, form: str, error: Exception, expected: str) -> UserError:
    return UserError(f"{where} is not in {form}'s form ({type(error).__name__}: {error}): expected {expected}")


def only_text(value: object, what: str) -> str:
    """The text. what: for people. Raises UserError for another value."""
    if not isinstance(value, str):
        raise UserError(f"{what} is {str(value)[:60]}: expected a text")
    return value


def picture_root(directory: str | None, path: Path) -> Path:
    """The directory of the pictures that a file names; None: that of the file. Raises UserError for a missing one."""
    root = Path(directory).expanduser() if directory else path.parent
    if not root.is_dir():
        raise UserError(f"data.pictures={directory} is not a directory: expected the one with the pictures")
    return root


def is_inside(root: Path, name: str) -> bool:
    return bool(name) and "\0" not in name and (root / name).resolve().is_relative_to(root.resolve())


def mark(picture: Picture) -> tuple[str, int, int]:
    """Name, size and time of a picture's file: another content has another one."""
    if not isinstance(picture, PictureFile) or not isinstance(picture.content, Path):
        raise TypeError(f"{picture.name} is in no file")
    stat = picture.content.stat()
    return picture.name, stat.st_size, stat.st_mtime_ns


def _metadata(split: str, path: Path) -> Path:
    """A file: the path, or the one in that directory."""
    if not path.is_dir():
        return path
    names = [path / name for name in ("metadata.jsonl", "metadata.csv") if (path / name).is_file()]
    if not names:
        raise UserError(
            f"data.{split}={path} is a directory without metadata.jsonl or metadata.csv: expected one of "
            "them, with a picture and its text on each line"
        )
    return names[0]


def _is_file(path: Path) -> bool:
    """Also of a path that no file can have, such as one with a name of a thousand letters."""
    try:
        return path.is_file()
    except OSError:
        return False


def _inside(root: Path, name: str, path: Path) -> Path:
    """The picture's file. Raises UserError for one outside the directory of the pictures."""
    if not is_inside(root, name):
        raise UserError(f"{path} names the picture {name!r}: expected a file in {root}")
    return root / name
