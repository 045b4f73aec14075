"""Which runs a comparison is to have: `comparison.json` in its directory, so that others can tell what is left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from lightning_seq.errors import UserError
from lightning_seq.experiment.grid import Planned
from lightning_seq.files import write_json

FILE = "comparison.json"
LOCK = ".comparison.lock"
SCHEMA = 1


@dataclass(frozen=True)
class Plan:
    """runs: the label of each, by the name of its directory. jobs: at a time, as the last command had it."""

    runs: dict[str, str]
    jobs: int
    launcher: str


def announce(runs: Sequence[Planned], jobs: int) -> None:
    """Write these runs into the plan of their comparison, beside those that are there: several commands may add to it.

    Raises UserError when it cannot be written.
    """
    if not runs:
        return
    directory = runs[0].directory.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / LOCK):
            before = read_plan(directory)
            found = {**(before.runs if before else {}), **{run.title: run.entry.label for run in runs}}
            kind = runs[0].entry.config["launcher"]["kind"]
            write_json(directory / FILE, {"schema": SCHEMA, "launcher": kind, "jobs": jobs, "runs": found})
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
        ) from error


def read_plan(directory: Path) -> Plan | None:
    """None where there is none that can be read: it is written anew by the next command."""
    try:
        found = json.loads((directory / FILE).read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            return None
        return Plan(
            {str(run): str(label) for run, label in found["runs"].items()}, int(found["jobs"]), found["launcher"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
