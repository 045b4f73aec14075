"""record.json: the record of a run, from which all reports are made."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, Plain, read_json, write_json
from lightning_seq.records.old_configuration import modern

SCHEMA = 2
READABLE = (1, 2)
"""In schema 1 the fields `selected_by`, `resumed_at` and `signatures` were entries of `environment`."""
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
    instruments:        the diagnostics of the training, by name: `seconds` and `calls`, outside the training time.
    selected_by:        the validation metric that selected the weights.
    resumed_at:         optimiser steps at which the run was resumed.
    signatures:         by metric, exactly how it is computed (`bleu`: sacreBLEU's signature).
    environment:        versions, device, threads and precision.
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
    match: dict[str, Plain] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    curves: dict[str, list[list[float | None]]] = field(default_factory=dict)
    throughput: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    fingerprints: dict[str, str | None] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)
    embedding: dict[str, Plain] = field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    instruments: dict[str, dict[str, float]] = field(default_factory=dict)
    config: dict[str, Plain] = field(default_factory=dict)
    environment: dict[str, Plain] = field(default_factory=dict)
    selected_by: str | None = None
    resumed_at: list[int] = field(default_factory=list)
    signatures: dict[str, str] = field(default_factory=dict)
    started: str = ""
    finished: str | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, expected one of {', '.join(STATUSES)}")

    def setting(self, group: str, key: str) -> Plain:
        """Of the configuration, such as `task` and `monitor`; None where it is not set."""
        held = self.config.get(group)
        return held.get(key) if isinstance(held, dict) else None

    @property
    def conditions(self) -> dict[str, Plain]:
        """The environment, with `selected by`, `resumed at steps` and `<metric> signature` where the run has them."""
        selected = {"selected by": self.selected_by} if self.selected_by is not None else {}
        resumed = {"resumed at steps": self.resumed_at} if self.resumed_at else {}
        signatures = {f"{name} signature": text for name, text in self.signatures.items()}
        return {**self.environment, **selected, **resumed, **signatures}

    def with_(self, **changes: Plain) -> Record:
        return replace(self, **changes)


def write(directory: Path, record: Record) -> Path:
    """Write `record.json` into a run's directory, in one step."""
    path = directory / FILE
    first = ("schema", "status", "error", "name", "label")
    names = [*first, *(item.name for item in fields(record) if item.name not in first)]
    write_json(path, {name: getattr(record, name) for name in names})
    return path


def read_if_there(directory: Path) -> Record | None:
    """The record in a run's directory; None where there is none. Raises UserError as `read` does."""
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
    if values.get("schema") not in READABLE:
        found = values.get("schema")
        raise UserError(f"{path} has schema {found}, this version reads {SCHEMA}: run it again, or use that version")
    if values["schema"] == 1:
        values = _from_schema_1(values)
    known = {item.name for item in fields(Record)}
    for name in known & set(values):
        if not _fits(name, values[name]):
            raise UserError(
                f"{path} is not a record ({name} is {str(values[name])[:60]!r}, expected {_TYPES[name]}): delete that "
                "run's directory and start it again"
            )
    try:
        record = Record(**{key: value for key, value in values.items() if key in known})
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is not a record ({error}): delete that run's directory and start it again") from None
    return replace(record, config=modern(record.config))


def _from_schema_1(values: dict[str, Plain]) -> dict[str, Plain]:
    """The values as schema 2 has them; an entry of another form stays in `environment`."""
    environment = values.get("environment")
    if not isinstance(environment, dict):
        return {**values, "schema": SCHEMA}
    names = {"selected by": "selected_by", "resumed at steps": "resumed_at"}
    fields_of = {names[key]: key for key in names if key in environment and _fits(names[key], environment[key])}
    signed = {key: text for key, text in environment.items() if key.endswith(" signature") and _is_text(text)}
    kept = {key: value for key, value in environment.items() if key not in {*fields_of.values(), *signed}}
    signatures = {key.removesuffix(" signature"): text for key, text in signed.items()}
    moved = {name: environment[key] for name, key in fields_of.items()}
    return {**values, **moved, "signatures": signatures, "environment": kept, "schema": SCHEMA}


def _fits(name: str, value: Plain) -> bool:
    """Whether a field of a record may have this value."""
    return _FORMS[str(_TYPES[name])](value)


def _is_number(value: Plain) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Plain) -> bool:
    return isinstance(value, str)


def _maps(inner: Callable[[Plain], bool]) -> Callable[[Plain], bool]:
    return lambda value: isinstance(value, dict) and all(map(inner, value.values()))


def _lists(inner: Callable[[Plain], bool]) -> Callable[[Plain], bool]:
    return lambda value: isinstance(value, list) and all(map(inner, value))


def _or_none(inner: Callable[[Plain], bool]) -> Callable[[Plain], bool]:
    return lambda value: value is None or inner(value)


_TYPES = {item.name: item.type for item in fields(Record)}
_FORMS: dict[str, Callable[[Plain], bool]] = {
    "str": _is_text,
    "str | None": _or_none(_is_text),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "int | None": _or_none(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "list[str]": _lists(_is_text),
    "list[int]": _lists(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "dict[str, str]": _maps(_is_text),
    "dict[str, Plain]": lambda value: isinstance(value, dict),
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
