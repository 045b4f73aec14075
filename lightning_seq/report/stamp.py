"""A mark in the head of a dashboard that identifies the records it was made of."""

from __future__ import annotations

from pathlib import Path

from lightning_seq import __version__
from lightning_seq.files import fingerprint, sha256
from lightning_seq.records.record import FILE, Record

HEAD = 4096
"""The mark is within this many characters from the start of a dashboard."""


def stamp(runs: list[tuple[Path, Record]]) -> str:
    """The version of lightning_seq and the contents of the records, as one mark."""
    records = sorted([str(directory), sha256(directory / FILE)] for directory, _ in runs)
    return f"{__version__} {fingerprint(records)}"
