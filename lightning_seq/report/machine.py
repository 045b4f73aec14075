"""Whether a run had its machine to itself while it was timed."""

from __future__ import annotations

from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record

BUSY = 0.9
"""CPU seconds of the process per second of training below which other programs held up the run."""


def cpu_share(record: Record) -> float | None:
    """CPU seconds per second of training; None if it was not recorded."""
    return number(record.throughput.get("cpu_share"))


def shared_machine(record: Record) -> bool:
    """Whether other runs of the comparison or other programs held up the run."""
    share = cpu_share(record)
    return record.jobs > 1 or (share is not None and share < BUSY)
