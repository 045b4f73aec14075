"""Text from data, files and names, made safe for a terminal, a log and JSON lines.

A terminal obeys control characters, and marks of direction make text look like another one. They become visible
escapes: `\\x1b`, `\\u202e`. All other characters stay.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import re
import sys
import textwrap
from types import TracebackType

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_DIRECTION}\ud800-\udfff]")
"""Controls of ASCII and Latin-1 except tab and line feed, separators of lines, marks of direction, lone surrogates."""

_CREDENTIALS = re.compile(r"(?<=://)([^/\s]+|[^/\s:@]+:(?!\d+/)[^\s@]*)@")  # the latter: a password with an unquoted /
_FORMULA = re.compile("'*[=+\\-@＝＋－＠\t\r\n]")
_NUMBER = re.compile(r"[-+]?([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?(inf|nan)")


def printable(value: object) -> str:
    """`value` as text without control of the terminal. Tabs and line feeds stay."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), str(value))


def without_credentials(text: str, shown: str = "…@") -> str:
    """`text` with the user and the password of each address (`https://user:password@host`) replaced."""
    return _CREDENTIALS.sub(shown, text)


def table_cell(value: object) -> str:
    """`value` as printable text for a cell of a CSV or TSV table, which no spreadsheet takes for a formula.

    A text that begins as a formula does, after any number of `'`, gets one more `'`: without the first `'` it is the
    text again. Numbers stay.
    """
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def number_of(count: int, noun: str) -> str:
    """`1 run`, `1,200 runs`. noun: with a plural in s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def json_line(value: object) -> str:
    """`value` as JSON on one line, with JSON's escapes for controls, marks of direction and lone surrogates."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def print_any_character() -> None:
    """Make standard output and error escape characters that their encoding lacks, as JSON does: `é` as `\\u00e9`.

    `print` raises no UnicodeEncodeError then on a terminal that is not UTF-8.
    """
    codecs.register_error("lightning_seq.escape", _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lightning_seq.escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


class PrintableFormatter(logging.Formatter):
    """A printable line for each message. The lines of a traceback follow it, indented.

    No text in them, such as one from data, looks like another message.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(without_credentials(super().formatMessage(record))).replace("\n", "\\n")

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return textwrap.indent(printable(without_credentials(super().formatException(ei))), "  ", lambda line: True)
