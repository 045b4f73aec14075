"""Text from data, files and names, made safe for a terminal, a log and JSON lines.

A terminal obeys control characters, and marks of direction make text look like another one. They are written as
escapes that a reader can see: `\\x1b`, `\\u202e`. All other letters stay as they are.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_DIRECTION}\ud800-\udfff]")
"""Controls of ASCII and Latin-1 except tab and line feed, separators of lines, marks of direction, lone surrogates."""


def printable(value: object) -> str:
    """`value` as text that a terminal shows and does not obey. Tabs and line feeds stay."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(value))


def number_of(count: int, noun: str) -> str:
    """`1 run`, `1,200 runs`. noun: one whose plural ends in s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def json_line(value: Any) -> str:
    """`value` as JSON on one line; controls, marks of direction and lone surrogates are JSON's own escapes."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def print_any_character() -> None:
    """Let standard output and error escape characters that their encoding lacks, as JSON does: `é` as `\\u00e9`.

    Without it, `print` raises UnicodeEncodeError on a terminal that is not UTF-8.
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
    """A log's lines, as `printable` gives them."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def printable_console(**settings: Any) -> Console:
    """A console of Rich that prints text as `printable` gives it; its own colours and movements stay."""
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class PrintableConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else printable(text), style, control)

    return PrintableConsole(**settings)
