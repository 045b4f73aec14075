"""The record of a run while it runs."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lightning_seq.config.tree import Config
from lightning_seq.files import Plain, fingerprint
from lightning_seq.identity import config_identity
from lightning_seq.records.record import Record, write

log = logging.getLogger("lightning_seq")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def started_record(config: Config, label: str, overrides: list[str], jobs: int, started: str | None = None) -> Record:
    """The record of a run that starts now, or that was launched at `started`."""
    from lightning_seq.builders.build import takes_a_cell

    choices = config["choices"]
    return Record(
        status="running",
        name=config["name"],
        label=label,
        seed=config["seed"],
        overrides=overrides,
        **{name: choices[name] for name in ("task", "model", "data")},
        cell=choices["cell"] if takes_a_cell(config) else None,
        jobs=jobs,
        fingerprints={"config": fingerprint(config_identity(config))},
        config=config,
        started=started or now(),
    )


def final_numbers(record: Record) -> dict[str, float | None]:
    """Metrics at the selected checkpoint, parameters and speed, for loggers."""
    counts = {f"parameters/{part}": float(count) for part, count in record.parameters.items()}
    return {**record.metrics, **counts, **record.throughput}


@dataclass
class RunRecordWriter:
    """Holds the record of a run and writes each change to disk, on rank 0."""

    directory: Path
    record: Record

    def update(self, **changes: Plain) -> None:
        record = self.record.with_(**changes)
        if rank() == 0:
            write(self.directory, record)
        self.record = record  # after the write: a change that cannot be written is not kept
