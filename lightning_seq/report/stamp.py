"""A mark in the head of a dashboard that identifies the records it was made of."""

from __future__ import annotations

from pathlib import Path

from lightning_seq import __version__
from lightning_seq.errors import UserError
from lightning_seq.files import fingerprint, sha256
from lightning_seq.records.record import FILE, Record
from lightning_seq.report.reading import Reading
from lightning_seq.report.summary import runs_of

TABLE, SHEET, TEX, DASHBOARD = "table.md", "table.csv", "table.tex", "dashboard.html"
"""The files of a report."""
OVER = "over_data_sets.csv"
"""One more file of a report on several data sets with the same labels."""
WANDB_PLAN = "wandb_workspace.json"
"""The plan of the workspaces of W&B, next to them."""
HEAD = 4096
"""The mark is within this many characters from the start of a dashboard."""


def stamp(runs: list[tuple[Path, Record]]) -> str:
    """The version of lightning_seq, the contents of the records and the rules of the verdict, as one mark."""
    records = sorted([str(directory), sha256(directory / FILE)] for directory, _ in runs)
    return f"{__version__} {fingerprint([records, str(Reading.of(runs))])}"


def is_current(directory: Path) -> bool:
    """Whether the tables and the dashboard of a comparison were made from its present records."""
    try:
        if not all((directory / name).is_file() for name in (DASHBOARD, TABLE, SHEET, TEX)):
            return False
        with (directory / DASHBOARD).open(encoding="utf-8", errors="replace") as page:
            head = page.read(HEAD)
        return stamp(runs_of(directory)) in head
    except (OSError, UserError):
        return False
