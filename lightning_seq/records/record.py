"""The record of a run: what a report is made of, and the only thing a report reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, read_json, write_json
from lightning_seq.records.old_configuration import modern

SCHEMA = 1
FILE = "record.json"
STATUSES = ("running", "done", "failed", "interrupted")


@dataclass(frozen=True)
class Record:
    """One run of one architecture with one seed, as `record.json` holds it.

    parameters:         counts under `total`, `embedding`, `recurrent`, `head`.
    match:              how the size was solved: `kind` (parameters, state, flops), `count`, `target`, `key`, `size`,
                        `found` and the relative `mismatch`; empty where it was not.
    metrics:            final values by name (`test/accuracy`); a number that is not finite is held as None.
    curves:             by name, a list of `[step, epoch, seconds, value]`; seconds of training only, over all resumes.
    throughput:         `tokens_per_second` of training.
    peak_memory_bytes:  of the process since the run began (host memory), or of the accelerator where the run used one.
    fingerprints:       of `config`, `data`, `split`, `batches` (and of these up to the end of each of the `epochs`),
                        `embedding`.
    files:              by key (`data.train`, `embedding.path` …), the SHA-256 of the user's file that the run read.
    embedding:          `kind`, `size`, `type_coverage`, `token_coverage`.
    artifacts:          by name, `path` (relative to the run's directory) and `sha256`.
    instruments:        what looked inside during training, by name: `seconds` and `calls`, outside the training time.
    jobs:               how many runs shared the machine while this one was timed.
    """

    status: str
    name: str
    label: str
    seed: int
    error: str | None = None
    overrides: list[str] = field(default_factory=list)
    task: str = ""
    model: str = ""
    cell: str | None = None
    data: str = ""
    engine: str | None = None
    jobs: int = 1
    parameters: dict[str, int] = field(default_factory=dict)
    match: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    curves: dict[str, list[list[float | None]]] = field(default_factory=dict)
    throughput: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    fingerprints: dict[str, str | None] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)
    embedding: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    instruments: dict[str, dict[str, float]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, expected one of {', '.join(STATUSES)}")

    def setting(self, group: str, key: str) -> Any:
        """Of the configuration, such as `task` and `monitor`; None where it does not say."""
        held = self.config.get(group)
        return held.get(key) if isinstance(held, dict) else None

    def with_(self, **changes: Any) -> Record:
        return replace(self, **changes)


def write(directory: Path, record: Record) -> Path:
    """Write `record.json` into a run's directory, in one step."""
    path = directory / FILE
    first = ("schema", "status", "error", "name", "label")
    names = [*first, *(item.name for item in fields(record) if item.name not in first)]
    write_json(path, {name: getattr(record, name) for name in names})
    return path


def read_if_there(directory: Path) -> Record | None:
    """The record in a run's directory; None where nothing is in its place. Raises UserError as `read` does."""
    return read(directory) if os.path.lexists(directory / FILE) else None


def read_done(directory: Path) -> Record | None:
    """The record in a run's directory, where the run is done. Raises UserError as `read` does."""
    record = read_if_there(directory)
    return record if record is not None and record.status == "done" else None


def read(path: Path) -> Record:
    """Read a `record.json`, or the one in a run's directory.

    Raises UserError when it is missing, not a record, or of another version.
    """
    path = path / FILE if path.is_dir() and path.name != FILE else path
    try:
        values = read_json(path, dict)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: expected the record of a run") from None
    except DamagedError as error:
        raise UserError(f"{path} is not a record ({error}): delete that run's directory and start it again") from None
    if values.get("schema") != SCHEMA:
        found = values.get("schema")
        raise UserError(f"{path} has schema {found}, this version reads {SCHEMA}: run it again, or use that version")
    known = {item.name for item in fields(Record)}
    for name in known & set(values):
        if not _FORMS[str(_TYPES[name])](values[name]):
            raise UserError(
                f"{path} is not a record ({name} is {str(values[name])[:60]!r}, expected {_TYPES[name]}): delete that "
                "run's directory and start it again"
            )
    try:
        record = Record(**{key: value for key, value in values.items() if key in known})
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is not a record ({error}): delete that run's directory and start it again") from None
    return replace(record, config=modern(record.config))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _maps(inner: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(inner, value.values()))


def _lists(inner: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(inner, value))


def _or_none(inner: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or inner(value)


_TYPES = {item.name: item.type for item in fields(Record)}
_FORMS: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "str | None": _or_none(_is_text),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "int | None": _or_none(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "list[str]": _lists(_is_text),
    "dict[str, Any]": lambda value: isinstance(value, dict),
    "dict[str, int]": _maps(_is_number),
    "dict[str, float]": _maps(_is_number),
    "dict[str, float | None]": _maps(_or_none(_is_number)),
    "dict[str, str | None]": lambda value: isinstance(value, dict),
    "dict[str, dict[str, str]]": _maps(_maps(_is_text)),
    "dict[str, dict[str, float]]": _maps(_maps(_is_number)),
    "dict[str, list[list[float | None]]]": _maps(_lists(_lists(_or_none(_is_number)))),
}
"""By the type of a field, what a file may hold there; fingerprints of epochs are a list among texts."""


def runs_in(directory: Path) -> list[tuple[Path, Record]]:
    """The records of a comparison `<runs>/<name>/`, with their run directories, in the order they started."""
    found = [(run, read(run)) for run in directory.glob("*") if os.path.lexists(run / FILE)]
    return sorted(found, key=lambda item: (item[1].started, item[1].label, item[1].seed))
