"""Checks of the directories of runs, and of the data files of the runs in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import place
from lightning_seq.records.record import Record, runs_in
from lightning_seq.training.data_files import data_paths, digest_of
from lightning_seq.training.directory import CHECKPOINTS, check_links
from lightning_seq.training.planned import Planned


def check_directories(runs: Sequence[Planned]) -> None:
    """Raises UserError if a run's directory cannot be written or holds a run of another configuration, or if a file of
    data has changed since a run of the comparison."""
    check_place(runs)
    for run in runs:
        run.check_unchanged()
    restarted = {run.directory for run in runs if run.config["resume"] == "never"}
    kept = [
        (directory, record)
        for directory, record in runs_in(runs[0].directory.parent)
        if record.status == "done" or (directory not in restarted and any(directory.glob(f"{CHECKPOINTS}/*.ckpt")))
    ]
    check_files([run.config for run in runs], kept)


def check_place(runs: Sequence[Planned]) -> None:
    """Raises UserError if the comparison's directory cannot be written or a link in it leads out of `runs`."""
    root = Path(runs[0].entry.config["runs"])
    comparison = root / runs[0].entry.config["name"]
    for directory in (comparison, *(run.directory for run in runs)):
        place(directory, "runs")
        if not directory.resolve().is_relative_to(root.resolve()):
            raise UserError(
                f"{directory} leads to {directory.resolve()}, outside {root}: remove the link, or give "
                "runs=DIR with the directory of the files"
            )
    check_links(comparison, root)
    check_writable(comparison, "runs=DIR")


def check_files(configs: Iterable[Config], runs: Iterable[tuple[Path, Record]]) -> None:
    """Raises UserError for a file of the configurations whose content has changed since one of the runs. Records of a
    version that recorded no files are skipped."""
    runs = [(directory, record) for directory, record in runs if record.files]
    if not runs:
        return
    paths = {pair for config in configs for pair in data_paths(config)}
    now = {(key, path): digest_of(path) for key, path in paths}
    for directory, record in runs:
        for key, path in data_paths(record.config):
            before = record.files.get(key)
            if before and now.get((key, path), before) != before:
                restart = "" if record.status == "done" else "resume=never to start it again, "
                raise UserError(
                    f"{directory} was made from other data: {key}={path} has changed since {record.started[:16]}; give "
                    f"{restart}name=NEW for runs on the data as they are now, or restore them"
                )


def check_writable(directory: Path, key: str) -> None:
    """Raises UserError unless files can be written to a directory, which may not exist yet. key: gives another one."""
    existing = next(parent for parent in (directory, *directory.resolve().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{directory} cannot be written ({existing} does not allow it): give another {key}")
