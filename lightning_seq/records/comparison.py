"""comparison.json: the plan of a comparison, with its runs and the rules by which its verdict is read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from filelock import FileLock

from lightning_seq.errors import UserError, first_line
from lightning_seq.files import DAMAGE, DamagedError, read_json, write_json
from lightning_seq.records.json_record import JsonRecord

FILE = "comparison.json"
LOCK = ".comparison.lock"
SCHEMA = 1

log = logging.getLogger("lightning_seq")


@dataclass(frozen=True)
class Looks(JsonRecord):
    """The plan of `seeds=auto`, which is written before the first run.

    seeds:   the numbers of seeds after which the verdict is read.
    levels:  of the test at each look.
    metrics: by data set, names without their split: the headline metric is the first of them that the runs have.
    """

    seeds: tuple[int, ...]
    levels: tuple[float, ...]
    metrics: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        rising = all(before < after for before, after in pairwise((1, *self.seeds)))
        levels = len(self.levels) == len(self.seeds) and all(1e-4 <= level < 1 for level in self.levels)
        if not self.seeds or not rising or not levels:
            raise ValueError("expected rising numbers of seeds, and a level from 0.0001 to 1 for each")


@dataclass(frozen=True)
class Addition(JsonRecord):
    """Seeds that a command added to the comparison, and the time of the command."""

    seeds: tuple[int, ...]
    time: str


@dataclass(frozen=True)
class Plan(JsonRecord):
    """runs:      the label of each, by the name of its directory.
    jobs:      runs at a time, of the last command.
    rope:      see `report.scale.scale`; None for the default.
    looks:     None without `seeds=auto`.
    additions: in the order of their commands; earlier versions recorded none.
    vary:      what a seed draws, of the last command; empty in plans of earlier versions.
    """

    runs: dict[str, str]
    jobs: int = 1
    launcher: str = "local"
    rope: float | None = None
    looks: Looks | None = None
    additions: tuple[Addition, ...] = ()
    vary: tuple[str, ...] = ()

    @property
    def seeds(self) -> set[int]:
        """The seeds of the runs."""
        return {*self.seed_of().values(), *(seed for one in self.additions for seed in one.seeds)}

    def seed_of(self) -> dict[str, int]:
        """The seed of each run whose name ends with one."""
        ends = {name: name.rpartition("-seed")[2] for name in self.runs}
        return {name: int(end) for name, end in ends.items() if end.isdecimal()}


def read_plan(directory: Path, remedy: str | None = None) -> Plan | None:
    """The plan in this directory; None if it is missing or cannot be read. remedy: see `read_or_reason`."""
    return read_or_reason(directory, remedy)[0]


def read_or_reason(directory: Path, remedy: str | None = None) -> tuple[Plan | None, str]:
    """As `read_plan`, and the reason why a plan cannot be read; empty for one that can or is missing.

    remedy: what happens to a plan that cannot be read, for a warning; None for no warning.
    """
    try:
        plain = read_json(directory / FILE, dict)
        if plain["schema"] != SCHEMA:
            raise DamagedError(f"it has schema {plain['schema']}, this version reads {SCHEMA}")
        runs, jobs = plain["runs"], plain["jobs"]
        if not all(isinstance(label, str) for label in runs.values()) or not isinstance(jobs, int) or jobs < 1:
            raise DamagedError("expected runs with their labels, and a number of jobs")
        for name in runs:
            if name in ("", "..") or Path(name).name != name:
                raise DamagedError(f"it names the run {name!r}, expected the name of a directory in it")
        return Plan.from_plain(plain), ""
    except FileNotFoundError:
        return None, ""
    except DAMAGE as error:
        if remedy is not None:
            log.warning("%s cannot be read (%s): %s", directory / FILE, first_line(error), remedy)
        return None, first_line(error)


def change_plan(directory: Path, change: Callable[[Plan | None], Plan]) -> None:
    """Write the plan in this directory again: several commands may change one plan at the same time.

    Raises UserError if the plan cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / LOCK):
            plan = change(read_plan(directory, "it is written again"))
            write_json(directory / FILE, {"schema": SCHEMA, **plan.to_plain()})
    except OSError as error:
        raise UserError(f"{directory} cannot be written ({error.strerror}): give another runs=DIR") from error
