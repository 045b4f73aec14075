"""Answers to new text, row by row: to standard output as JSON lines, or into a file of JSON lines or CSV."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import TextIO, TypeVar

from lightning_seq.builders.task_kind import Row
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, new_file, place, replacing
from lightning_seq.printable import json_line, table_cell

T = TypeVar("T")
ROW_SUFFIXES = (".jsonl", ".csv")
_INTERVAL = 0.5
"""Seconds between two counts on a terminal."""


def output_file(output: str | None, source: str | None = None, text: bool = False) -> Path | None:
    """The file of the answers; None for standard output.

    source: the file that texts are read from.
    text:   whether any suffix but those of rows stands for lines of plain text.

    Raises UserError for a path that cannot be written, and for a suffix that stands for no format.
    """
    if output is None:
        return None
    path = new_file(output, "output")
    if source is not None and path.exists() and path == place(source, "file").resolve():
        raise UserError(f"output={output} is the file that is read: give another one")
    if not text and path.suffix not in ("", ".json", ".ndjson", *ROW_SUFFIXES):
        raise UserError(f"output={output}: expected a name that ends in .jsonl or .csv")
    return path


@contextmanager
def text_out(path: Path | None) -> Iterator[TextIO]:
    """A stream for text: standard output, or a file that appears when it is complete."""
    if path is None:
        yield sys.stdout
        return
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def json_list(path: Path) -> Iterator[Callable[[Plain], object]]:
    """A function that writes a value to the file as the next entry of one JSON list."""
    with text_out(path) as out:
        separators = chain(["[\n"], repeat(",\n"))
        yield lambda value: out.write(next(separators) + json_line(value))
        out.write("[]\n" if next(separators) == "[\n" else "\n]\n")


def write_rows(
    path: Path | None, rows: Iterable[Row], ranked: tuple[str, ...] = (), widths: Mapping[str, int] | None = None
) -> None:
    """Write rows as they come: JSON lines, or CSV if the path ends so.

    ranked: lists of a row that become columns in CSV, `label`, `probability`, `label_2`, …; of other lists, a column
            for each key holds all its values in JSON.
    widths: entries of ranked lists, by their names; of others as many as in the first row that has some.
    """
    with text_out(path) as out:
        if path is not None and path.suffix == ".csv":
            _write_csv(out, rows, ranked, widths or {})
            return
        for row in rows:
            print(json_line(row), file=out, flush=path is None)


def counted(rows: Iterable[T], path: Path | None) -> Iterator[T]:
    """The rows; their count is shown on a terminal's standard error, unless answers appear there."""
    last, number = 0.0, 0
    shows = sys.stderr is not None and sys.stderr.isatty() and (path is not None or not sys.stdout.isatty())
    begin = time.monotonic()
    for number, row in enumerate(rows, 1):
        yield row
        if shows and time.monotonic() - max(last, begin) > _INTERVAL:
            last = time.monotonic()
            line = f"\r{number:,} lines, {number / (last - begin):,.0f} a second "
            print(line, end="", file=sys.stderr, flush=True)
    if last:
        print(f"\r{number:,} lines\x1b[K", file=sys.stderr)


def _write_csv(out: TextIO, rows: Iterable[Row], ranked: tuple[str, ...], widths: Mapping[str, int]) -> None:
    writer, source = csv.writer(out, lineterminator="\n"), iter(rows)
    first: list[Row] = []
    for row in source:
        first.append(row)
        if all(row[key] for key in row if isinstance(row[key], list)):
            break  # a row with all its lists names the columns
    widest = {
        key: value[:1] * widths.get(key, len(value)) if key in ranked and value else value
        for key, value in first[-1].items()
        if key != "note"
    }
    columns = [*_cells(widest, ranked), "note"]
    writer.writerow(map(table_cell, columns))
    for row in chain(first, source):
        cells = _cells(row, ranked)
        writer.writerow([_cell(cells.get(column)) for column in columns])


def _cells(row: Row, ranked: tuple[str, ...]) -> Row:
    cells: Row = {}
    for key, value in row.items():
        prefix = "" if key == "predictions" else f"{key}_"
        if not isinstance(value, list):
            cells[key] = value
        elif key in ranked:
            for rank, entry in enumerate(value, 1):
                cells |= {f"{prefix}{name}" + (f"_{rank}" if rank > 1 else ""): item for name, item in entry.items()}
        elif value:
            cells |= {f"{prefix}{name}": [entry[name] for entry in value] for name in value[0]}
    return cells


def _cell(value: object) -> str:
    if value is None:
        return ""
    return json_line(value) if isinstance(value, list) else table_cell(value)
