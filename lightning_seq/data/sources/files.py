"""Labelled sentences in files of the user's own: csv, tsv, json lines, text."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_seq.data.sources.table import Cut, Loaded, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, sha256

_LABEL = "__label__"
_NUMBER = re.compile(r"[-+]?[0-9]*[.,]?[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""What may stand between the fields of a csv file, the likeliest first."""
Row = tuple[int, Any, Any]
"""The line a record starts on, its text, its label."""


@dataclass(frozen=True)
class Files:
    """One file per split; a validation or test split that is not given is cut from train.

    kind: `csv` or `tsv` (a header, then records), `jsonl` (an object a line), or `text`: one example a line, either
          the label, a tab and the text, or `__label__x` and the text, as fastText has it.
    text_column, label_column: where they are; `text` has no columns.

    delimiter:  between fields; None: a tab in tsv, in csv the first of `DELIMITERS` that parts the header so that both
                columns are there.
    encoding:   of the files, by Python's name; a byte order mark is left out.
    quotes:     whether a field may stand in double quotes, with line ends and delimiters in it; None: in csv alone. In
                a tsv file as GLUE and Tatoeba have it, a quotation mark is a character.

    An example's id is its line.
    """

    kind: str
    train: str | None
    validation: str | None = None
    test: str | None = None
    text_column: str = "text"
    label_column: str = "label"
    cut: Cut = field(default_factory=Cut)
    delimiter: str | None = None
    encoding: str = "utf-8"
    quotes: bool | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UserError(f"data.delimiter is {self.delimiter!r}: expected one character, such as ; (null finds it)")
        if self.quotes not in (None, True, False):
            raise UserError(f"data.quotes is {self.quotes!r}: expected true, false, or null (true in csv alone)")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise UserError(
                f"data.encoding is {self.encoding!r}, which Python does not know: utf-8, utf-16, cp1252, latin-1 …"
            ) from None
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
            **({"quotes": self._quoted} if self.kind == "tsv" or not self._quoted else {}),
            **({"delimiter": self.delimiter} if self.delimiter else {}),
            **({"encoding": self.encoding} if self.encoding != "utf-8" else {}),
        }

    @property
    def _quoted(self) -> bool:
        return self.kind != "tsv" if self.quotes is None else self.quotes

    def load(self) -> Loaded:
        """Raises UserError, with file and line, for whatever is wrong in the files."""
        told: list[str] = []
        tables = {split: self._table(self._there(split, path), told) for split, path in self._paths().items()}
        self._check_classes(tables["train"])
        completed, notes = self.cut.completed(tables)
        return Loaded(completed, notes=[*told, *notes])

    def _check_classes(self, table: Table) -> None:
        """Raises UserError for labels that are measurements, not classes."""
        names = sorted(set(table.labels))
        if len(names) > max(len(table) / 2, 2) and all(_NUMBER.fullmatch(name) for name in names):
            raise UserError(
                f"{table.origin}: the labels are numbers ({', '.join(names[:3])} …), {len(names)} different ones in "
                f"{len(table)} examples: expected classes of several examples each; write a class for each range"
            )

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

    def _table(self, path: Path, told: list[str]) -> Table:
        """told: takes a line on what was found that the user may not expect."""
        text = decoded(path, self.encoding)
        table = Table([], [], [], str(path))
        for line, sentence, label in _READERS[self.kind](self, path, text, told):
            where = f"{path}, line {line}"
            name = str(label).strip() if isinstance(label, str | int | bool) else ""
            if not name:
                raise UserError(
                    f"{where}: label missing or out of range, it is {label!r}: expected the name of a class"
                )
            if not isinstance(sentence, str):
                raise UserError(f"{where}: {self.text_column!r} is {sentence!r}, expected text")
            check_characters(where, sentence + name)
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

    def _separated(self, path: Path, text: str, told: list[str]) -> Iterator[Row]:
        csv.field_size_limit(sys.maxsize)
        delimiter = self.delimiter or ("\t" if self.kind == "tsv" else self._delimiter(text))
        separator = DELIMITERS.get(delimiter, repr(delimiter))
        if delimiter != (self.delimiter or {"csv": ",", "tsv": "\t"}[self.kind]):
            told.append(f"{path.name}: fields are separated by {separator} (data.delimiter)")
        content = io.StringIO(text, newline="")
        rows = (
            csv.reader(content, delimiter=delimiter, strict=True)
            if self._quoted
            else csv.reader(content, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        )
        start, long = 1, 0
        try:
            header = [name.strip() for name in next(rows, [])]
            places = [self._column(path, name, header) for name in ("text_column", "label_column")]
            start = rows.line_num + 1
            for row in rows:
                line, start = start, rows.line_num + 1
                if not row:
                    continue
                if len(row) != len(header):
                    advice = (
                        f'a text with {separator} in it needs quotes around it ("…")'
                        if self._quoted
                        else f"a text has no {separator} in it, unless the file quotes texts: data.quotes=true"
                    )
                    raise UserError(
                        f"{path}, line {line}: {len(row)} values where the header has {len(header)}: {advice}"
                    )
                if self.kind == "tsv" and any("\n" in value and delimiter in value for value in row):
                    raise UserError(
                        f"{path}, line {line}: a field in quotes runs on to line {start - 1}, with {separator} in it: "
                        "leave out data.quotes, so that a quotation mark is a character, or check the quotes there"
                    )
                long += start - line > 1
                yield line, row[places[0]], row[places[1]]
        except csv.Error as error:
            advice = "check the quotes in that record" + ("" if self.quotes is None else ", or give data.quotes=false")
            raise UserError(f"{path}, line {start}: not {self.kind} ({error}): {advice}") from error
        if long:
            told.append(f"{path.name}: {long} quoted text{'s' * (long > 1)} with line ends inside")

    def _delimiter(self, text: str) -> str:
        """The first that parts the header so that both columns are there; else a comma."""
        header = text.partition("\n")[0]
        for delimiter in DELIMITERS:
            names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
            if {self.text_column, self.label_column} <= set(names):
                return delimiter
        return ","

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

    def _json_lines(self, path: Path, text: str, told: list[str]) -> Iterator[Row]:
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

    def _labelled_lines(self, path: Path, text: str, told: list[str]) -> Iterator[Row]:
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


_READERS: dict[str, Callable[[Files, Path, str, list[str]], Iterator[Row]]] = {
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


def check_characters(where: str, text: str) -> None:
    """Raises UserError for half of a surrogate pair, which JSON can hold and UTF-8 cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: \\u{ord(text[error.start]):04x} alone is half a character (a surrogate): "
            "write the character itself, or both halves"
        ) from None


def decoded(path: Path, encoding: str = "utf-8") -> str:
    """A file's text without a byte order mark.

    Raises UserError when it is empty, unreadable, or not of that encoding, with the line and the byte.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = content.count(b"\n", 0, start) + 1
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        likely = "utf-16" if wide else "cp1252" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else "utf-8"
        raise UserError(
            f"{path}, line {line}: not {encoding.upper()} (byte {start + 1} of the file is 0x{content[start]:02x}): "
            f"save it as UTF-8; a csv, tsv, jsonl or text file may also be read by data.encoding, such as {likely}"
        ) from None
    if not text.strip():
        raise UserError(f"{path} is empty: expected one example a line")
    return text
