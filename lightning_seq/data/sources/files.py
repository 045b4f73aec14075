"""Labelled sentences in files of the user's own: csv, tsv, json lines, text."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_seq.data.sources.table import Cut, Loaded, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, sha256

_LABEL = "__label__"
_DELIMITERS = {"csv": ",", "tsv": "\t"}
Row = tuple[int, Any, Any]
"""The line a record starts on, its text, its label."""


@dataclass(frozen=True)
class Files:
    """One file per split; a validation or test split that is not given is cut from train.

    kind: `csv` or `tsv` (a header, then records), `jsonl` (an object a line), or `text`: one example a line, either
          the label, a tab and the text, or `__label__x` and the text, as fastText has it.
    text_column, label_column: where they are; `text` has no columns.

    An example's id is its line. UTF-8 is expected, with or without a byte order mark.
    """

    kind: str
    train: str | None
    validation: str | None = None
    test: str | None = None
    text_column: str = "text"
    label_column: str = "label"
    cut: Cut = field(default_factory=Cut)

    def __post_init__(self) -> None:
        if self.kind not in _READERS:
            raise UserError(f"there is no kind of file {self.kind!r}; {near(str(self.kind), _READERS)}")
        if not self.train:
            raise UserError(f"data={self.kind} needs a file to train on: give data.train=FILE")
        if self.kind != "text" and self.text_column == self.label_column:
            raise UserError(
                f"data.text_column and data.label_column are both {self.text_column!r}: a text cannot be its own label"
            )

    def describe(self) -> str:
        return str(Path(str(self.train)).name)

    def identity(self) -> Plain:
        return {
            "kind": self.kind,
            "files": {split: sha256(self._there(split, path)) for split, path in self._paths().items()},
            "columns": [self.text_column, self.label_column] if self.kind != "text" else None,
            "cut": self.cut.to_plain(),
        }

    def load(self) -> Loaded:
        """Raises UserError, with file and line, for whatever is wrong in the files."""
        tables = {split: self._table(self._there(split, path)) for split, path in self._paths().items()}
        completed, notes = self.cut.completed(tables)
        return Loaded(completed, notes=notes)

    def _paths(self) -> dict[str, Path]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: Path(path).expanduser() for split, path in given.items() if path}

    def _there(self, split: str, path: Path) -> Path:
        if path.is_dir():
            raise UserError(f"data.{split}={path} is a directory: expected a {self.kind} file")
        if not path.is_file():
            if not path.parent.is_dir():
                raise UserError(f"data.{split}={path} is not there: there is no directory {path.parent}")
            beside = [other.name for other in path.parent.glob(f"*{path.suffix}") if other.is_file()]
            hint = f"; {near(path.name, beside)}" if beside else ": give the path of a file"
            raise UserError(f"data.{split}={path} is not there{hint}")
        return path

    def _table(self, path: Path) -> Table:
        text = decoded(path)
        table = Table([], [], [], str(path))
        for line, sentence, label in _READERS[self.kind](self, path, text):
            where = f"{path}, line {line}"
            name = str(label).strip() if isinstance(label, str | int | bool) else ""
            if not name:
                raise UserError(
                    f"{where}: label missing or out of range, it is {label!r}: expected the name of a class"
                )
            if not isinstance(sentence, str):
                raise UserError(f"{where}: {self.text_column!r} is {sentence!r}, expected text")
            if not sentence.strip():
                raise UserError(
                    f"{where}: the sentence is empty: expected at least one word; fill it in or take the line out"
                )
            table.texts.append(sentence)
            table.labels.append(name)
            table.ids.append(line)
        if not table.texts:
            raise UserError(f"{path} has no examples, only a header or empty lines: expected one example a line")
        return table

    def _separated(self, path: Path, text: str) -> Iterator[Row]:
        csv.field_size_limit(sys.maxsize)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_DELIMITERS[self.kind], strict=True)
        start = 1
        try:
            header = [name.strip() for name in next(rows, [])]
            places = [self._column(path, name, header) for name in ("text_column", "label_column")]
            start = rows.line_num + 1
            for row in rows:
                line, start = start, rows.line_num + 1
                if not row:
                    continue
                if len(row) != len(header):
                    separator = "tab" if self.kind == "tsv" else "comma"
                    raise UserError(
                        f"{path}, line {line}: {len(row)} values where the header has {len(header)}: "
                        f'a text with a {separator} in it needs quotes around it ("…")'
                    )
                yield line, row[places[0]], row[places[1]]
        except csv.Error as error:
            raise UserError(
                f"{path}, line {start}: not {self.kind} ({error}): check the quotes in that record"
            ) from error

    def _column(self, path: Path, setting: str, header: list[str]) -> int:
        name = getattr(self, setting)
        if name not in header:
            raise UserError(
                f"{path} has no column {name!r} (data.{setting}): its columns are {', '.join(header)}; "
                f"give data.{setting}=NAME"
            )
        if header.count(name) > 1:
            raise UserError(f"{path} has {header.count(name)} columns called {name!r} (data.{setting}): expected one")
        return header.index(name)

    def _json_lines(self, path: Path, text: str) -> Iterator[Row]:
        for line, content in _lines(text):
            try:
                record = json.loads(content)
            except ValueError as error:
                raise UserError(f"{path}, line {line}: not JSON ({error}): expected one object on every line") from None
            if not isinstance(record, dict):
                raise UserError(
                    f'{path}, line {line}: {type(record).__name__}, expected an object such as {{"text": …}}'
                )
            for setting in ("text_column", "label_column"):
                name = getattr(self, setting)
                if name not in record:
                    missing = "label missing or out of range, " if setting == "label_column" and line > 1 else ""
                    raise UserError(
                        f"{path}, line {line}: {missing}there is no column {name!r} (data.{setting}): "
                        f"its columns are {', '.join(map(str, record))}"
                    )
            yield line, record[self.text_column], record[self.label_column]

    def _labelled_lines(self, path: Path, text: str) -> Iterator[Row]:
        for line, content in _lines(text):
            if content.startswith(_LABEL):
                label, _, sentence = content.removeprefix(_LABEL).partition(" ")
                if "\t" in label:
                    label, _, sentence = content.removeprefix(_LABEL).partition("\t")
                if sentence.startswith(_LABEL):
                    raise UserError(f"{path}, line {line}: two labels, expected one class for a sentence")
            else:
                label, tab, sentence = content.partition("\t")
                if not tab:
                    raise UserError(
                        f"{path}, line {line}: label missing or out of range: "
                        f"expected a label, a tab and the text, or {_LABEL}x and the text"
                    )
            yield line, sentence, label


_READERS: dict[str, Callable[[Files, Path, str], Iterator[Row]]] = {
    "csv": Files._separated,
    "tsv": Files._separated,
    "jsonl": Files._json_lines,
    "text": Files._labelled_lines,
}
KINDS = tuple(_READERS)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers; only a line feed ends a line."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def decoded(path: Path) -> str:
    """A file's text without a byte order mark.

    Raises UserError when it is empty, unreadable, or not UTF-8, with the line and the byte.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: not UTF-8 (byte {error.start + 1} of the file is 0x{content[error.start]:02x}): "
            "save it as UTF-8"
        ) from None
    if not text.strip():
        raise UserError(f"{path} is empty: expected one example a line")
    return text
