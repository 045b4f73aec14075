"""One column of a file with several, read line by line."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator

from lightning_seq.errors import UserError, near

SUFFIXES = (".csv", ".tsv", ".jsonl")


def column_of(lines: Iterable[str], suffix: str, name: str, place: str) -> Iterator[str]:
    """The texts of column `name`. A blank text is a text too.

    lines:  of the file, without their ends.
    suffix: `.csv` (fields may stand in double quotes), `.tsv` (a quotation mark is a character) or `.jsonl`.
    place:  the file, for people.

    Raises UserError, with the line, for a column that is not there and for records that are not of that format.
    """
    return _objects(lines, name, place) if suffix == ".jsonl" else _fields(lines, suffix, name, place)


def _objects(lines: Iterable[str], name: str, place: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield ""
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise UserError(f"{place}, line {number}: not JSON: expected one object on every line") from None
        if not isinstance(record, dict):
            raise UserError(f"{place}, line {number}: expected an object such as {{{json.dumps(name)}: …}}")
        if name not in record:
            raise _no_column(f"{place}, line {number}", name, list(map(str, record)))
        if not isinstance(record[name], str):
            raise UserError(f"{place}, line {number}: {name!r} is {str(record[name])[:40]}, expected text")
        yield record[name]


def _fields(lines: Iterable[str], suffix: str, name: str, place: str) -> Iterator[str]:
    csv.field_size_limit(sys.maxsize)
    ended = (f"{line}\n" for line in lines)
    rows = (
        csv.reader(ended, strict=True)
        if suffix == ".csv"
        else csv.reader(ended, delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    start = 1
    try:
        header = [field.strip() for field in next(rows, [])]
        if header.count(name) != 1:
            raise _no_column(place, name, header)
        column, start = header.index(name), rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                raise UserError(
                    f"{place}, line {start}: {len(row)} fields, expected the {len(header)} of the first line"
                )
            yield row[column] if row else ""
            start = rows.line_num + 1
    except csv.Error as error:
        raise UserError(f"{place}, line {start}: not {suffix[1:]} ({error}): check the quotes there") from None


def _no_column(place: str, name: str, columns: list[str]) -> UserError:
    return UserError(f"{place}: expected one column {name!r}; {near(name, columns)}; give column=NAME")
