"""Open the artifacts of a record: a missing or changed file becomes a note, never an error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lightning_seq.files import DAMAGE, is_inside, sha256
from lightning_seq.records.record import Record

T = TypeVar("T")


def example_column(names: Iterable[str]) -> str:
    """The column of a `predictions.parquet` with the number of the example: `row`; `id` in files of version 0.1."""
    return "row" if "row" in names else "id"


@dataclass(frozen=True)
class Artifact:
    """A file that a record names.

    path:  the file, None when it cannot be used.
    sha256: as recorded.
    note:  one line on the problem of the file, None if it can be used.
    """

    name: str
    path: Path | None
    sha256: str | None = None
    note: str | None = None


def artifact(directory: Path, record: Record, name: str, verify: bool = True) -> Artifact | None:
    """The artifact `name` of the run in `directory`, or None if the record does not name it.

    verify: compare the checksum, which reads the whole file.

    A path that leads out of the run's directory is treated as missing.
    """
    entry = record.artifacts.get(name)
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        return None
    recorded = entry.get("sha256")
    run = f"{record.label}, seed {record.seed}"
    try:
        path = directory / entry["path"]
        if os.path.islink(os.path.realpath(path)):
            path.stat()  # raises OSError: the links lead to each other
        if not is_inside(path, directory) or not path.is_file():
            return Artifact(name, None, recorded, f"{run}: {entry['path']} is missing")
        if verify and recorded and sha256(path) != recorded:
            return Artifact(name, None, recorded, f"{run}: {entry['path']} has changed since the run ended")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Artifact(name, None, recorded, f"{run}: {entry['path']} cannot be read ({reason})")
    return Artifact(name, path, recorded)


def read_artifacts(
    runs: list[tuple[Path, Record]], name: str, read: Callable[[Path], T]
) -> tuple[list[tuple[Record, T]], list[str]]:
    """The content of the artifact `name` of each run, as `read` returns it, and notes on files that cannot be used.

    read: raises one of `files.DAMAGE` for a file of another form.
    """
    contents, notes = [], []
    for directory, record in runs:
        item = artifact(directory, record, name)
        if item is None:
            continue
        if item.path is None:
            notes.append(item.note or "")
            continue
        try:
            contents.append((record, read(item.path)))
        except DAMAGE as error:
            reason = " ".join(str(error).split())[:200]
            notes.append(f"{record.label}, seed {record.seed}: {item.path.name} cannot be used ({reason})")
    return contents, notes


def log_path(directory: Path, record: Record) -> Path | None:
    """The run's log: the artifact, or a `log.txt` in the directory of a run whose record does not name it."""
    log = artifact(directory, record, "log", verify=False)
    if log is not None and log.path is not None:
        return log.path
    plain = directory / "log.txt"
    return plain if plain.is_file() and is_inside(plain, directory) else None
