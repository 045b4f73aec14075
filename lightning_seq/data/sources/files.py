"""Labelled sentences in files of the user: csv, tsv, json lines, text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from sys import intern
from typing import Literal

from lightning_seq.data.sources.keys import NameColumns, checked_keys, typed_names
from lightning_seq.data.sources.split_files import SplitFiles, checked_lines
from lightning_seq.data.sources.table import Cut, Loaded, Table
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.column import DELIMITERS, delimiter_of, json_object, records
from lightning_seq.text.lines import FileLines, check_characters, check_line_ends

_LABEL = "__label__"
_TABS = ("\\t", "tab")
_NUMBER = re.compile(r"[-+]?[0-9]*[.,]?[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)
Row = tuple[int, dict[str, object]]
"""The line that a record starts on, and its values by the settings of their columns."""


@dataclass(frozen=True)
class Files(NameColumns, SplitFiles, Cut):
    r"""Labelled sentences; the id of an example is the line that its record begins on, counted from 1.

    kind: `csv` or `tsv` (a header, then records), `jsonl` (an object a line), or `text`: one example a line, either
          the label, a tab and the text, or `__label__x` and the text, as in files for fastText.
    text_column, label_column: names of columns; `text` has no columns.

    delimiter: between fields, `tab` or `\t` for a tab; None: a tab in tsv, in csv the first of `DELIMITERS` that parts
               the header so that both columns are in it.
    quotes:    whether a field may be in double quotes, with line ends and delimiters in it; None: only in csv. In the
               tsv files of GLUE and Tatoeba, a quotation mark is a character.
    """

    kind: Literal["csv", "tsv", "jsonl", "text"] = field(kw_only=True)
    text_column: str = "text"
    label_column: str = "label"
    delimiter: str | None = None
    quotes: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delimiter in _TABS:
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UserError(f"data.delimiter is {self.delimiter!r}: expected one character, such as ; (null finds it)")
        if self.kind == "text":
            for setting, name in self.name_columns().items():
                raise UserError(f"data.{setting}={name}: data=text has no columns; leave it out, or use data=csv")
        if self.kind != "text" and self.text_column == self.label_column:
            raise UserError(
                f"data.text_column and data.label_column are both {self.text_column!r}: a text cannot be its own label"
            )

    def identity(self) -> Plain:
        return {
            "kind": self.kind,
            "columns": [self.text_column, self.label_column] if self.kind != "text" else None,
            "cut": self.shares(),
            **self.contents(),
            **({"quotes": self._quoted} if self.kind == "tsv" or not self._quoted else {}),
            **({"delimiter": self.delimiter} if self.delimiter else {}),
            **self.names_to_plain(),
        }

    @property
    def _quoted(self) -> bool:
        return self.kind != "tsv" if self.quotes is None else self.quotes

    def load(self) -> Loaded:
        """Raises UserError, with file and line, for a mistake in the files."""
        notes: list[str] = []
        tables = {split: self._table(path, notes) for split, path in self.paths().items()}
        self._check_classes(tables["train"])
        return self.loaded(typed_names(tables, untyped=self.kind != "jsonl"), notes=notes)

    def _check_classes(self, table: Table) -> None:
        """Raises UserError for labels that are measurements, not classes."""
        names = sorted(set(table.labels))
        if len(names) > max(len(table) / 2, 2) and all(_NUMBER.fullmatch(name) for name in names):
            raise UserError(
                f"{table.origin}: the labels are numbers ({', '.join(names[:3])} …), {len(names)} different ones in "
                f"{len(table)} examples: expected classes of several examples each; write a class for each range"
            )

    def _table(self, path: Path, notes: list[str]) -> Table:
        """The examples of a file. notes: takes a line for each thing that the user may not expect."""
        lines = checked_lines(path, self.encoding)
        table, own = Table([], [], [], str(path)), {setting: list[object]() for setting in self.name_columns()}
        for line, values in _READERS[self.kind](self, path, lines, notes):
            where, sentence, label = f"{path}, line {line}", values["text_column"], values["label_column"]
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
            table.labels.append(intern(name))
            table.ids.append(line)
            for setting, column in own.items():
                column.append(values[setting])
        if not table.texts:
            raise UserError(f"{path} has no examples, only a header or empty lines: expected one example a line")
        names = {
            setting: checked_keys(own[setting], name, lambda row: f"{path}, line {table.ids[row]}", setting)
            for setting, name in self.name_columns().items()
        }
        return replace(table, keys=names.get("id_column"), groups=names.get("group_column"))

    @property
    def _names(self) -> dict[str, str]:
        """The names of the columns of texts, labels and perhaps ids and groups, in this order, by their settings."""
        return {"text_column": self.text_column, "label_column": self.label_column, **self.name_columns()}

    def _separated(self, path: Path, lines: FileLines, notes: list[str]) -> Iterator[Row]:
        usual = "\t" if self.kind == "tsv" else ","
        first = next(line for line in lines if line.strip())
        delimiter = self.delimiter or (usual if self.kind == "tsv" else delimiter_of(first, self._names.values()))
        separator = DELIMITERS.get(delimiter, repr(delimiter))
        if delimiter != (self.delimiter or usual):
            notes.append(f"{path.name}: fields are separated by {separator} (data.delimiter)")
        remedy = "check the quotes in that record, or give data.quotes=false where a quotation mark is a character"
        rows = records(lines.raw(), delimiter, self._quoted, str(path), remedy)
        header = next([name.strip() for name in row] for *_, row in rows if row)
        columns = {setting: self._column(path, setting, name, header) for setting, name in self._names.items()}
        label = columns["label_column"]
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
                labels.add(row[label])
            yield line, {setting: row[column] for setting, column in columns.items()}
        for line, last, row in long:
            if self.kind == "tsv" or self.quotes is None:
                self._check_long(f"{path}, line {line}", last, row, delimiter, label, labels)
        if long:
            notes.append(f"{path.name}: {len(long)} quoted text{'s' * (len(long) > 1)} with line ends inside")

    def _advice_on_width(self, more: bool, marks: bool, separator: str) -> str:
        if not more:
            return "expected a value for every column"
        if self._quoted:
            return f'a text with {separator} in it needs quotes around it ("…")'
        return f"a text has no {separator} in it" + (", unless the file quotes texts: data.quotes=true" * marks)

    def _check_long(self, where: str, last: int, row: list[str], delimiter: str, label: int, labels: set[str]) -> None:
        """Raises UserError where a field over several lines holds examples: in a tsv file a delimiter, in a csv file a
        line that is a whole record of a known label."""
        for column, value in enumerate(row):
            first, *rest = value.split("\n")
            inside = [line.split(delimiter) for line in rest]
            inside += [row[:column] + first.split(delimiter)] * (delimiter in first)
            has_record = any(len(part) == len(row) and part[label].strip() in labels for part in inside)
            if rest and (delimiter in value if self.kind == "tsv" else has_record):
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

    def _json_lines(self, path: Path, lines: FileLines, notes: list[str]) -> Iterator[Row]:
        for line, content in _numbered(lines):
            record = json_object(content, f"{path}, line {line}", self.text_column)
            for setting, name in self._names.items():
                if name not in record:
                    missing = "label missing or out of range, " if setting == "label_column" and line > 1 else ""
                    raise UserError(
                        f"{path}, line {line}: {missing}there is no column {name!r} (data.{setting}): "
                        f"its columns are {', '.join(map(str, record))}"
                    )
            yield line, {setting: record[name] for setting, name in self._names.items()}

    def _labelled_lines(self, path: Path, lines: FileLines, notes: list[str]) -> Iterator[Row]:
        check_line_ends(path, lines, ("\t", _LABEL))
        for line, content in _numbered(lines):
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
            yield line, {"text_column": sentence, "label_column": label}


_READERS: dict[str, Callable[[Files, Path, FileLines, list[str]], Iterator[Row]]] = {
    "csv": Files._separated,
    "tsv": Files._separated,
    "jsonl": Files._json_lines,
    "text": Files._labelled_lines,
}


def _numbered(lines: FileLines) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, without their ends, with their numbers."""
    return ((number, line.rstrip("\n")) for number, line in enumerate(lines, 1) if line.strip())
