"""The directory and the record of a run that nobody did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from lightning_seq.files import sha256
from lightning_seq.records.record import Record, read, write


def run_name(label: str, seed: int) -> str:
    """`<label>-seed<k>`, or another name where the label is none for a file."""
    name = label if label.replace("-", "_").isidentifier() else f"label{crc32(label.encode())}"
    return f"{name}-seed{seed}"


def made_directory(directory: Path, label: str, seed: int) -> Path:
    run = directory / run_name(label, seed)
    run.mkdir(parents=True)
    return run


def record_of(run: Path, label: str, seed: int, files: Mapping[str, Path], **fields: Any) -> Record:
    """The record of a run that is done; files: its artifacts, by name."""
    artifacts = {name: {"path": path.name, "sha256": sha256(path)} for name, path in files.items()}
    known = {"status": "done", "name": run.parent.name, "artifacts": artifacts}
    return Record(label=label, seed=seed, **(known | fields))


def rewrite(directory: Path, run: str, name: str, text: str) -> None:
    """Another `<name>.json` of a run, with a checksum that fits."""
    path = directory / run / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    record = read(directory / run)
    entry = {"path": path.name, "sha256": sha256(path)}
    write(directory / run, record.with_(artifacts={**record.artifacts, name: entry}))
