"""The console of Rich on which a command prints, and one line on it."""

from __future__ import annotations

import sys

from rich.console import Console

from lightning_seq.printable import printable_console


def command_console() -> Console:
    """The console of a command: as wide as its terminal, or 120 columns where the output is a file or a pipe."""
    return printable_console(width=None if sys.stdout.isatty() else 120)


def say(console: Console, line: str = "") -> None:
    """Print a line as it is: no markup, no colours, no breaks."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
