"""record.json: the record of a run, from which all reports are made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import get_type_hints

from lightning_seq.errors import UserError
from lightning_seq.files import Plain, read_json, write_json
from lightning_seq.records.json_record import checker
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
    match:              how the size was matched: `kind` (parameters, state, flops), `count`, `target`, `key`, `size`,
                        `found` and the relative `mismatch`; empty if it was not matched.
    metrics:            final values by name (`test/accuracy`); None for a number that is not finite.
    baseline:           test metrics by name of a predictor that looks at no input, `baseline_name`; computed from the
                        train split, not trained. further_baselines: the same by the name of a predictor that may look
                        at the input.
    curves:             by name, a list of `[step, epoch, seconds, value]`; seconds of training only, over all resumes.
    throughput:         `tokens_per_second` of training; `cpu_share`, CPU seconds of the process for each second of
                        training, of a run in one process on the CPU.
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
    drawn:              what the seed drew with `vary`, besides initialisation, batch order and dropout: `train`,
                        `validation`, `test` (splits) and `vectors`.
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
    fingerprints: dict[str, Plain] = field(default_factory=dict)
    files: dict[str, Plain] = field(default_factory=dict)
    embedding: dict[str, Plain] = field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    instruments: dict[str, dict[str, float]] = field(default_factory=dict)
    config: dict[str, Plain] = field(default_factory=dict)
    environment: dict[str, Plain] = field(default_factory=dict)
    selected_by: str | None = None
    resumed_at: list[int] = field(default_factory=list)
    signatures: dict[str, str] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    baseline_name: str = ""
    further_baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)
    started: str = ""
    finished: str | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, expected one of {', '.join(STATUSES)}")

    def setting(self, group: str, key: str) -> Plain:
        """A value of the configuration, such as `task.monitor`; None if it is not set."""
        settings = self.config.get(group)
        return settings.get(key) if isinstance(settings, dict) else None

    @property
    def conditions(self) -> dict[str, Plain]:
        """The environment, with `selected by`, `resumed at steps` and `<metric> signature` if the run has them."""
        selected = {"selected by": self.selected_by} if self.selected_by is not None else {}
        resumed = {"resumed at steps": self.resumed_at} if self.resumed_at else {}
        signatures = {f"{name} signature": text for name, text in self.signatures.items()}
        return {**self.environment, **selected, **resumed, **signatures}

    def with_(self, **changes: Plain) -> Record:
        return replace(self, **changes)


_KINDS = get_type_hints(Record)


def write(directory: Path, record: Record) -> Path:
    """Write `record.json` into a run's directory, in one step."""
    path = directory / FILE
    first = ("schema", "status", "error", "name", "label")
    names = [*first, *(item.name for item in fields(record) if item.name not in first)]
    write_json(path, {name: getattr(record, name) for name in names})
    return path


def read_if_there(directory: Path) -> Record | None:
    """The record in a run's directory, None if it has no record. Raises UserError as `read` does."""
    return read(directory) if os.path.lexists(directory / FILE) else None


def read_done(directory: Path) -> Record | None:
    """The record in a run's directory, None if the run is not done. Raises UserError as `read` does."""
    record = read_if_there(directory)
    return record if record is not None and record.status == "done" else None


def read(path: Path) -> Record:
    """Read a `record.json`, or the one in a run's directory.

    Raises UserError when it is missing, not a record, or of another version.
    """
    path = path / FILE if path.is_dir() and path.name != FILE else path
    try:
        return _record(read_json(path, dict))
    except FileNotFoundError:
        raise UserError(f"{path} is not there: expected the record of a run") from None
    except _SchemaError as error:
        raise UserError(
            f"{path} has schema {error}, this version reads {SCHEMA}: run it again, or use that version"
        ) from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is not a record ({error}): delete that run's directory and start it again") from None


class _SchemaError(Exception):
    """A record of another version."""


def _record(values: dict[str, Plain]) -> Record:
    """Raises TypeError or ValueError for values of another form."""
    if values.get("schema") not in READABLE:
        raise _SchemaError(values.get("schema"))
    if values["schema"] == 1:
        values = _from_schema_1(values)
    known = {key: value for key, value in values.items() if key in _KINDS}
    for name, value in known.items():
        if not _fits(name, value):
            raise ValueError(f"{name} is {str(value)[:60]!r}, expected {Record.__annotations__[name]}")
    record = Record(**known)
    return replace(record, config=modern(record.config))


def _from_schema_1(values: dict[str, Plain]) -> dict[str, Plain]:
    """The values as schema 2 has them; an entry of another form stays in `environment`."""
    environment = values.get("environment")
    if not isinstance(environment, dict):
        return {**values, "schema": SCHEMA}
    names = {"selected by": "selected_by", "resumed at steps": "resumed_at"}
    fields_of = {names[key]: key for key in names if key in environment and _fits(names[key], environment[key])}
    signed = {key: text for key, text in environment.items() if key.endswith(" signature") and isinstance(text, str)}
    kept = {key: value for key, value in environment.items() if key not in {*fields_of.values(), *signed}}
    signatures = {key.removesuffix(" signature"): text for key, text in signed.items()}
    moved = {name: environment[key] for name, key in fields_of.items()}
    return {**values, **moved, "signatures": signatures, "environment": kept, "schema": SCHEMA}


def _fits(name: str, value: Plain) -> bool:
    """Whether a field of a record may have this value."""
    return checker(_KINDS[name])(value)


def runs_in(directory: Path) -> list[tuple[Path, Record]]:
    """The records of a comparison `<runs>/<name>/`, with their run directories, in the order they started."""
    runs = [(run, read(run)) for run in directory.glob("*") if os.path.lexists(run / FILE)]
    return sorted(runs, key=lambda item: (item[1].started, item[1].label, item[1].seed))
