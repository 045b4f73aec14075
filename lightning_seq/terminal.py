"""Rich's console, safe for any text."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lightning_seq.printable import printable


class PrintableConsole(Console):
    """A console that prints text through `printable`; Rich's own colours and movements stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def command_console() -> Console:
    """The console of a command: as wide as its terminal, or 120 columns if the output is a file or a pipe."""
    return PrintableConsole(width=None if sys.stdout.isatty() else 120)


def say(console: Console, line: str = "") -> None:
    """Print a line without markup, colours and breaks."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
