"""The user's own files: csv, tsv, jsonl, and text with a label on every line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from lightning_seq.data.sources.table import Loaded, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import sha256

FORMATS = ("csv", "jsonl", "text")
_FASTTEXT = re.compile(r"__label__(\S+)\s+(.*)")

Row = tuple[int, str, str]
"""Line number from 1, text, label."""


@dataclass(frozen=True)
class FileSource:
    """One file per split; those that are not given are cut from train.

    format: `csv` (tab-separated where the name ends in .tsv), `jsonl` (an object a line), or `text` (a line is a label,
            a tab and a text, or `__label__NAME text`).
    """

    format: str
    paths: Mapping[str, Path]
    text_column: str = "text"
    label_column: str = "label"

    def identity(self) -> dict[str, Any]:
        return {
            "source": self.format,
            "files": {split: sha256(_existing(path)) for split, path in self.paths.items()},
            "text": self.text_column,
            "label": self.label_column,
        }

    def load(self) -> Loaded:
        return Loaded({split: self._table(path) for split, path in self.paths.items()})

    def _table(self, path: Path) -> Table:
        texts, labels, places = [], [], []
        for line, text, label in self._rows(path, decoded(path)):
            if not text.strip():
                raise UserError(f"{path}, line {line}: the text is empty: fill it in, or take the line out")
            if not label.strip():
                raise UserError(f"{path}, line {line}: the label is missing")
            texts.append(text)
            labels.append(label.strip())
            places.append(f"{path}, line {line}")
        if not texts:
            raise UserError(f"{path} has no example: expected a text and a label on every line")
        return Table(texts, labels, places)

    def _rows(self, path: Path, content: str) -> Iterator[Row]:
        if self.format == "csv":
            return self._csv(path, content)
        return self._jsonl(path, content) if self.format == "jsonl" else self._text(path, content)

    def _csv(self, path: Path, content: str) -> Iterator[Row]:
        reader = csv.DictReader(StringIO(content, newline=""), delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
        try:
            self._check_columns(path, reader.fieldnames or [])
            for row in reader:
                if None in row or None in row.values():
                    raise UserError(f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or [])} columns, as in line 1")
                yield reader.line_num, row[self.text_column], row[self.label_column]
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: {error}: check the quotes") from None

    def _jsonl(self, path: Path, content: str) -> Iterator[Row]:
        for number, line in enumerate(content.split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}, line {number}: not JSON ({error}): expected one object on each line") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}, line {number}: expected an object such as {{\"text\": …, \"label\": …}}")
            if row.get(self.label_column) is None and self.label_column in row:
                raise UserError(f"{path}, line {number}: the label is missing")
            self._check_columns(path, list(row), f", line {number}")
            yield number, str(row[self.text_column] or ""), str(row[self.label_column])

    def _text(self, path: Path, content: str) -> Iterator[Row]:
        for number, line in enumerate(content.split("\n"), 1):
            line = line.rstrip("\r")
            if not line.strip():
                continue
            fasttext = _FASTTEXT.fullmatch(line)
            label, tab, text = (fasttext[1], "\t", fasttext[2]) if fasttext else line.partition("\t")
            if not tab:
                raise UserError(f"{path}, line {number}: the label is missing: expected LABEL, a tab, and the text")
            yield number, text, label

    def _check_columns(self, path: Path, columns: list[str], where: str = "") -> None:
        for key, column in (("text_column", self.text_column), ("label_column", self.label_column)):
            if column not in columns:
                raise UserError(f"{path}{where} has no column {column!r}: {near(column, columns)}; set data.{key}=NAME")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path} is {'a directory' if path.is_dir() else 'not there'}: expected a file")
    return path


def decoded(path: Path) -> str:
    """The file's text, without a byte order mark. Raises UserError when it is empty or not UTF-8."""
    content = _existing(path).read_bytes()
    if not content.strip():
        raise UserError(f"{path} is empty: expected a text and a label on every line")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8"
        ) from None
