"""One column of a file, read line by line."""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

from lightning_seq.errors import UserError, near
from lightning_seq.text.lines import check_characters

SUFFIXES = (".csv", ".tsv", ".jsonl")
log = logging.getLogger("lightning_seq")

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""Separators of the fields of a csv file, the likeliest first."""


def column_of(lines: Iterable[str], suffix: str, name: str, place: str) -> Iterator[str]:
    """The texts of column `name`, blank texts too.

    lines:  of the file, without their ends.
    suffix: `.csv` (fields may be in double quotes), `.tsv` (a quotation mark is a character) or `.jsonl`.
    place:  the file, for people.

    Raises UserError, with the line, for a missing column and for records of another format.
    """
    return _objects(lines, name, place) if suffix == ".jsonl" else _fields(lines, suffix, name, place)


def json_object(line: str, where: str, column: str) -> dict[str, object]:
    """The object on a line. Raises UserError for another line. column: a key of the object, for the error."""
    try:
        record = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error}): expected one object on every line") from None
    if not isinstance(record, dict):
        kind = type(record).__name__
        raise UserError(f"{where}: {kind}, expected an object such as {{{json.dumps(column)}: …}}")
    return record


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError for a key that is given twice."""
    if len(record := dict(pairs)) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"the key {twice!r} is given twice")
    return record


def _objects(lines: Iterable[str], name: str, place: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        where = f"{place}, line {number}"
        record = json_object(line, where, name) if line.strip() else {name: ""}
        if name not in record:
            raise _no_column(where, name, list(map(str, record)))
        text = record[name]
        if not isinstance(text, str):
            raise UserError(f"{where}: {name!r} is {str(text)[:40]}, expected text")
        check_characters(where, text)
        yield text


def _fields(lines: Iterable[str], suffix: str, name: str, place: str) -> Iterator[str]:
    lines = iter(lines)
    first = next(lines, "")
    delimiter = "\t" if suffix == ".tsv" else delimiter_of(first, [name])
    rows = records((f"{line}\n" for line in chain([first], lines)), delimiter, suffix == ".csv", place)
    header = [field.strip() for field in next(rows, (1, 1, list[str]()))[2]]
    if header.count(name) != 1:
        raise _no_column(place, name, header)
    column, long = header.index(name), list[str]()
    for line, last, row in rows:
        if last > line:
            long.append(f"{line} to {last}")
        if row and len(row) != len(header):
            raise UserError(f"{place}, line {line}: {len(row)} fields, expected the {len(header)} of the first line")
        yield row[column] if row else ""
    if long:
        fields = f"{len(long)} quoted fields" if len(long) > 1 else "a quoted field"
        log.warning(
            "%s: %s with line ends inside, lines %s: check the quotes there if these are several records",
            place, fields, ", ".join(long[:3]),
        )  # fmt: skip


def delimiter_of(header: str, names: Iterable[str]) -> str:
    """The first of `DELIMITERS` that splits the header of a csv file into fields with all names; else a comma."""
    for delimiter in DELIMITERS:
        fields = next(csv.reader([header.partition("\r")[0]], delimiter=delimiter), [])
        if set(names) <= {field.strip() for field in fields}:
            return delimiter
    return ","


def records(
    lines: Iterable[str], delimiter: str, quotes: bool, place: str, remedy: str = "check the quotes there"
) -> Iterator[tuple[int, int, list[str]]]:
    """The number of a record's first and last line, and its fields; no fields for an empty line.

    lines:  with their line feeds.
    quotes: whether a field may be in double quotes, with delimiters and line ends in it.
    remedy: the end of the error for unmatched quotes.

    Raises UserError, with the line, for unmatched quotes.
    """
    if not quotes:
        for number, line in enumerate(lines, 1):
            content = line.rstrip("\r\n")
            yield number, number, content.split(delimiter) if content else []
        return
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in rows:
            yield start, rows.line_num, row
            start = rows.line_num + 1
    except csv.Error as error:
        if "new-line character" in str(error):
            raise UserError(
                f"{place}, line {start}: a carriage return outside quotes: expected a line feed at the end of a line"
            ) from None
        raise UserError(f"{place}, line {start}: not csv ({error}): {remedy}") from None


def _no_column(place: str, name: str, columns: list[str]) -> UserError:
    return UserError(f"{place}: expected one column {name!r}; {near(name, columns)}; give column=NAME")
