"""The model of a verb on a checkpoint, and the texts that it reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lightning_seq.builders.kinds import check_verb
from lightning_seq.cli.verbs import Answer, Caption, Forecast, OfTexts, Sample, Transcribe
from lightning_seq.errors import UserError
from lightning_seq.files import existing_file
from lightning_seq.inference.load import Loaded, load
from lightning_seq.text.column import SUFFIXES, column_of
from lightning_seq.text.lines import lines_of


def loaded_checkpoint(verb: str, arguments: OfTexts | Sample | Caption | Forecast | Answer | Transcribe) -> Loaded:
    """The model. Raises UserError where the verb is not for models of its kind."""
    loaded = load(arguments.checkpoint, arguments.allow)
    check_verb(verb, loaded.kind)
    return loaded


def texts_of(arguments: OfTexts, loaded: Loaded) -> Iterator[str]:
    """The one text that was typed, or the texts of the file, or the lines of standard input; see `text/lines.py`.

    Raises UserError where the one text cannot be read; a line of a file has a note instead.
    """
    text, column = arguments.text, arguments.column
    note = None if text is None else loaded.reader.note(text)
    if note is not None and not note.readable:
        raise UserError(f"text=…: {note.text}")
    path = None if arguments.file is None else existing_file(arguments.file, "file", stream=True)
    suffix = "" if path is None else path.suffix.lower()
    if column is not None and suffix not in SUFFIXES:
        raise UserError(f"column={column}: expected file=FILE that ends in {', '.join(SUFFIXES)}")
    if text is not None:
        return iter([text])
    if path is not None:
        lines = _lines_of_file(path)
        if suffix == ".jsonl" and column is None and loaded.reader.OBJECTS:
            return lines
        if suffix == ".tsv" and column is None and loaded.reader.TABS:
            raise UserError(
                f"file={path}: a .tsv file has a line of column names; expected lines FILE<TAB>QUESTION without one: "
                "give them as .txt, or give column=NAME"
            )
        return column_of(lines, suffix, column or "text", str(path)) if suffix in SUFFIXES else lines
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
    return lines_of(sys.stdin.buffer, "standard input")


def _lines_of_file(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as stream:
            yield from lines_of(stream, str(path))
    except OSError as error:
        raise UserError(f"file={path} cannot be read ({error.strerror}): give a text file") from None
