"""The planned runs of a comparison: `comparison.json` in its directory, from which `status` counts the runs left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from lightning_seq.errors import UserError, first_line
from lightning_seq.files import DAMAGE, DamagedError, read_json, write_json
from lightning_seq.training.planned import Planned

FILE = "comparison.json"
LOCK = ".comparison.lock"
SCHEMA = 1

log = logging.getLogger("lightning_seq")


@dataclass(frozen=True)
class Plan:
    """runs: the label of each, by the name of its directory. jobs: runs at a time, of the last command."""

    runs: dict[str, str]
    jobs: int
    launcher: str


def announce(runs: Sequence[Planned], jobs: int) -> None:
    """Add these runs to the plan of their comparison: several commands may add to one plan.

    Raises UserError if the plan cannot be written.
    """
    if not runs:
        return
    directory = runs[0].directory.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / LOCK):
            before = read_plan(directory, "it is written again")
            labels = {**(before.runs if before else {}), **{run.title: run.entry.label for run in runs}}
            kind = runs[0].entry.config["launcher"]["kind"]
            write_json(directory / FILE, {"schema": SCHEMA, "launcher": kind, "jobs": jobs, "runs": labels})
    except OSError as error:
        raise UserError(f"{directory} cannot be written ({error.strerror}): give another runs=DIR") from error


def read_plan(directory: Path, remedy: str | None = None) -> Plan | None:
    """The plan in this directory; None if it is missing or cannot be read.

    remedy: what happens to a plan that cannot be read, for a warning; None for no warning.
    """
    try:
        plain = read_json(directory / FILE, dict)
        if plain["schema"] != SCHEMA:
            raise DamagedError(f"it has schema {plain['schema']}, this version reads {SCHEMA}")
        runs, jobs = plain["runs"], plain["jobs"]
        if not all(isinstance(label, str) for label in runs.values()) or not isinstance(jobs, int) or jobs < 1:
            raise DamagedError("expected runs with their labels, and a number of jobs")
        return Plan(runs, jobs, str(plain["launcher"]))
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        if remedy is not None:
            log.warning("%s cannot be read (%s): %s", directory / FILE, first_line(error), remedy)
        return None
