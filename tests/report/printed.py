"""The table of a summary, as a terminal without colours shows it."""

from __future__ import annotations

import io

from rich.console import Console

from lightning_seq.report.summary import Summary
from lightning_seq.report.terminal_table import terminal


def printed(summary: Summary, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None)
    console.print(terminal(summary))
    return console.export_text()
