"""Labelled sentences in files of the user's own: csv, tsv, json lines, text."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lightning_seq.data.sources.keys import check_keys, origins, typed_keys
from lightning_seq.data.sources.table import Cut, Loaded, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, sha256
from lightning_seq.text.column import DELIMITERS, delimiter_of, records
from lightning_seq.text.lines import check_characters, check_encoding, read_text, split_lines
from lightning_seq.value_types import Fraction, Seed

_LABEL = "__label__"
_TABS = ("\\t", "tab")
_NUMBER = re.compile(r"[-+]?[0-9]*[.,]?[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)
Row = tuple[int, Any, Any, Any]
"""The line a record starts on, its text, its label, and its key, None where no column holds one."""


@dataclass(frozen=True)
class Files:
    r"""One file per split; a validation or test split that is not given is cut from train.

    kind: `csv` or `tsv` (a header, then records), `jsonl` (an object a line), or `text`: one example a line, either
          the label, a tab and the text, or `__label__x` and the text, as fastText has it.
    text_column, label_column: where they are; `text` has no columns.

    delimiter:  between fields, `tab` or `\t` for a tab; None: a tab in tsv, in csv the first of `DELIMITERS` that parts
                the header so that both columns are there.
    encoding:   of the files, by Python's name; a byte order mark is left out.
    quotes:     whether a field may be in double quotes, with line ends and delimiters in it; None: in csv alone. In
                a tsv file as GLUE and Tatoeba have it, a quotation mark is a character.

    id_column:  a column whose values, all different, name the examples in predictions; None: their lines do.
    validation_fraction, test_fraction, split_seed: see `Cut`.

    An example's id is the line of the file that its record begins on, counted from 1.
    """

    kind: Literal["csv", "tsv", "jsonl", "text"]
    train: str | None
    validation: str | None = None
    test: str | None = None
    text_column: str = "text"
    label_column: str = "label"
    delimiter: str | None = None
    encoding: str = "utf-8"
    quotes: bool | None = None
    id_column: str | None = None
    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    split_seed: Seed = 1
    cut: Cut = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.delimiter in _TABS:
            object.__setattr__(self, "delimiter", "\t")
        object.__setattr__(self, "cut", Cut(self.validation_fraction, self.test_fraction, self.split_seed))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UserError(f"data.delimiter is {self.delimiter!r}: expected one character, such as ; (null finds it)")
        if self.quotes not in (None, True, False):
            raise UserError(f"data.quotes is {self.quotes!r}: expected true, false, or null (true in csv alone)")
        check_encoding(self.encoding, "data.encoding")
        if self.kind not in _READERS:
            raise UserError(f"there is no kind of file {self.kind!r}; {near(str(self.kind), _READERS)}")
        if not self.train:
            raise UserError(f"data={self.kind} needs a file to train on: give data.train=FILE")
        if self.kind == "text" and self.id_column:
            raise UserError(f"data.id_column={self.id_column}: data=text has no columns; leave it out, or use data=csv")
        if self.kind != "text" and self.text_column == self.label_column:
            raise UserError(
                f"data.text_column and data.label_column are both {self.text_column!r}: a text cannot be its own label"
            )

    def describe(self) -> str:
        return str(Path(str(self.train)).name)

    def identity(self) -> Plain:
        return {
            "kind": self.kind,
            "files": {
                split: sha256(split_file(split, path, f"a {self.kind} file")) for split, path in self._paths().items()
            },
            "columns": [self.text_column, self.label_column] if self.kind != "text" else None,
            "cut": self.cut.to_plain(),
            **({"quotes": self._quoted} if self.kind == "tsv" or not self._quoted else {}),
            **({"delimiter": self.delimiter} if self.delimiter else {}),
            **({"encoding": self.encoding} if self.encoding != "utf-8" else {}),
            **({"ids": self.id_column} if self.id_column else {}),
        }

    def origins(self) -> dict[str, str]:
        return origins({"train": self.train, "validation": self.validation, "test": self.test})

    @property
    def _quoted(self) -> bool:
        return self.kind != "tsv" if self.quotes is None else self.quotes

    def load(self) -> Loaded:
        """Raises UserError, with file and line, for a mistake in the files."""
        told: list[str] = []
        tables = {
            split: self._table(split_file(split, path, f"a {self.kind} file"), told)
            for split, path in self._paths().items()
        }
        self._check_classes(tables["train"])
        if self.id_column:
            keys = typed_keys([table.keys or () for table in tables.values()], untyped=self.kind != "jsonl")
            tables = {split: replace(table, keys=own) for (split, table), own in zip(tables.items(), keys, strict=True)}
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

    def _table(self, path: Path, told: list[str]) -> Table:
        """told: takes a line on what was found that the user may not expect."""
        text = decoded(path, self.encoding)
        table, keys = Table([], [], [], str(path)), list[Any]()
        for line, sentence, label, key in _READERS[self.kind](self, path, text, told):
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
            keys.append(key)
        if not table.texts:
            raise UserError(f"{path} has no examples, only a header or empty lines: expected one example a line")
        if self.id_column is None:
            return table
        check_keys(keys, self.id_column, lambda row: f"{path}, line {table.ids[row]}")
        return replace(table, keys=keys)

    @property
    def _names(self) -> dict[str, str]:
        """The columns that are read, by the setting that names each: text, label and perhaps ids, in this order."""
        names = {"text_column": self.text_column, "label_column": self.label_column}
        return names | ({"id_column": self.id_column} if self.id_column else {})

    def _separated(self, path: Path, text: str, told: list[str]) -> Iterator[Row]:
        usual = "\t" if self.kind == "tsv" else ","
        first = text.lstrip("\r\n").partition("\n")[0]
        delimiter = self.delimiter or (usual if self.kind == "tsv" else delimiter_of(first, self._names.values()))
        separator = DELIMITERS.get(delimiter, repr(delimiter))
        if delimiter != (self.delimiter or usual):
            told.append(f"{path.name}: fields are separated by {separator} (data.delimiter)")
        remedy = "check the quotes in that record, or give data.quotes=false where a quotation mark is a character"
        rows = records(io.StringIO(text, newline="\n"), delimiter, self._quoted, str(path), remedy)
        header = next([name.strip() for name in row] for *_, row in rows if row)
        places = [self._column(path, setting, name, header) for setting, name in self._names.items()]
        long, labels = [], set()
        for line, last, row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise UserError(
                    f"{path}, line {line}: {len(row)} values where the header has {len(header)}: "
                    + self._advice_on_width(len(row) > len(header), '"' in "".join(row), separator)
                )
            if last > line:
                long.append((line, last, row))
            else:
                labels.add(row[places[1]])
            yield line, row[places[0]], row[places[1]], row[places[2]] if self.id_column else None
        for line, last, row in long:
            if self.kind == "tsv" or self.quotes is None:
                self._check_long(f"{path}, line {line}", last, row, delimiter, places[1], labels)
        if long:
            told.append(f"{path.name}: {len(long)} quoted text{'s' * (len(long) > 1)} with line ends inside")

    def _advice_on_width(self, more: bool, marks: bool, separator: str) -> str:
        if not more:
            return "expected a value for every column"
        if self._quoted:
            return f'a text with {separator} in it needs quotes around it ("…")'
        return f"a text has no {separator} in it" + (", unless the file quotes texts: data.quotes=true" * marks)

    def _check_long(self, where: str, last: int, row: list[str], delimiter: str, place: int, labels: set[str]) -> None:
        """Raises UserError where a field over several lines has swallowed examples: in a tsv file one with a delimiter
        in it, in a csv file one with a line that is a whole record of a known label."""
        for column, value in enumerate(row):
            first, *rest = value.split("\n")
            inside = [line.split(delimiter) for line in rest]
            inside += [row[:column] + first.split(delimiter)] * (delimiter in first)
            swallowed = any(len(part) == len(row) and part[place].strip() in labels for part in inside)
            if rest and (delimiter in value if self.kind == "tsv" else swallowed):
                raise UserError(
                    f"{where}: a field in quotes runs on to line {last}, with {DELIMITERS.get(delimiter, delimiter)} "
                    "in it: check the quotes there; or give data.quotes=false where a quotation mark is a character"
                    + (", data.quotes=true where all of it is one text" if self.kind == "csv" else "")
                )

    def _column(self, path: Path, setting: str, name: str, header: list[str]) -> int:
        if name not in header:
            raise UserError(
                f"{path} has no column {name!r} (data.{setting}): its columns are {', '.join(header)}; give "
                f"data.{setting}=NAME, or write the names of the columns into the first line where it is an example"
            )
        if header.count(name) > 1:
            raise UserError(
                f"{path} has {header.count(name)} columns called {name!r} (data.{setting}): expected one; rename the "
                "other in the first line"
            )
        return header.index(name)

    def _json_lines(self, path: Path, text: str, told: list[str]) -> Iterator[Row]:
        for line, content in _lines(text):
            try:
                record = json.loads(content)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}, line {line}: not JSON ({error}): expected one object on every line") from None
            if not isinstance(record, dict):
                raise UserError(
                    f'{path}, line {line}: {type(record).__name__}, expected an object such as {{"text": …}}'
                )
            for setting, name in self._names.items():
                if name not in record:
                    missing = "label missing or out of range, " if setting == "label_column" and line > 1 else ""
                    raise UserError(
                        f"{path}, line {line}: {missing}there is no column {name!r} (data.{setting}): "
                        f"its columns are {', '.join(map(str, record))}"
                    )
            key = record[self.id_column] if self.id_column else None
            yield line, record[self.text_column], record[self.label_column], key

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
            yield line, sentence, label, None


_READERS: dict[str, Callable[[Files, Path, str, list[str]], Iterator[Row]]] = {
    "csv": Files._separated,
    "tsv": Files._separated,
    "jsonl": Files._json_lines,
    "text": Files._labelled_lines,
}
KINDS = tuple(_READERS)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers; only a line feed ends a line."""
    for number, line in enumerate(split_lines(text), 1):
        if line.strip():
            yield number, line


def split_file(split: str, path: Path, expected: str = "a file") -> Path:
    """The path. Raises UserError, with the near names, for a file that does not exist."""
    if path.is_dir():
        raise UserError(f"data.{split}={path} is a directory: expected {expected}")
    if not path.is_file():
        if not path.parent.is_dir():
            raise UserError(f"data.{split}={path} is not there: there is no directory {path.parent}")
        others = [other.name for other in path.parent.glob(f"*{path.suffix}") if other.is_file()]
        hint = f"; {near(path.name, others)}" if others else ": give the path of a file"
        raise UserError(f"data.{split}={path} is not there{hint}")
    return path


def decoded(path: Path, encoding: str = "utf-8") -> str:
    """A file's text without a byte order mark.

    Raises UserError when it is empty, and as `read_text` does.
    """
    text = read_text(path, encoding, "data.encoding")
    if not text.strip():
        raise UserError(f"{path} is empty: expected one example a line")
    return text
