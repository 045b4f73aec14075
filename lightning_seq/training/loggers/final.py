"""The final numbers of a run, for loggers."""

from __future__ import annotations

from lightning_seq.records.record import Record


def final_numbers(record: Record) -> dict[str, float | None]:
    """Its metrics at the selected checkpoint, parameters, speed."""
    return {
        **record.metrics,
        **{f"parameters/{part}": float(count) for part, count in record.parameters.items()},
        **record.throughput,
    }
