"""The directory of one run: its files, its lock, and its preparation."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, is_inside, read_yaml, write_text
from lightning_seq.records.old_configuration import modern
from lightning_seq.records.record import FILE

CONFIG = "config.yaml"
LOG = "log.txt"
LOCK = ".lock"
MOMENT = 0.5
"""Seconds to wait for the lock: `is_running` holds it for an instant."""
CHECKPOINTS = "checkpoints"
RANK_ERROR = "error-rank{}.txt"


def write_config(directory: Path, config: Config) -> None:
    write_text(directory / CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def read_config(directory: Path) -> Config:
    """Raises UserError if the run's configuration is missing or damaged."""
    path = directory / CONFIG
    try:
        config = read_yaml(path)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: expected the directory of a run") from None
    except DamagedError as error:
        raise UserError(f"{path} cannot be read ({error}): delete that run's directory and start it again") from None
    if "choices" not in config:
        raise UserError(f"{path} is not a run's configuration: delete that run's directory and start it again")
    return modern(config)


def write_rank_error(directory: Path, rank: int, error: str) -> None:
    """Write the error of a rank, for the launcher."""
    write_text(directory / RANK_ERROR.format(rank), error)


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Let only one process at a time work on a run. Raises UserError if another process does."""
    lock = FileLock(directory / LOCK, timeout=MOMENT)
    try:
        lock.acquire()
    except Timeout:
        raise _is_being_run(directory) from None
    try:
        yield
    finally:
        lock.release()


def _is_being_run(directory: Path) -> UserError:
    return UserError(f"{directory} is being run by another process: wait for it, or give another name=NAME")


def is_running(directory: Path) -> bool:
    """Whether a process holds the run's lock now."""
    if not (directory / LOCK).exists():
        return False
    try:
        FileLock(directory / LOCK, timeout=0).acquire().lock.release()
    except Timeout:
        return True
    return False


def check_links(directory: Path, root: Path) -> None:
    """Raises UserError for a link in a directory, or in those inside it, that leads to itself or out of `root`, which
    holds all files of runs: a run would write the file at its other end."""
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = Path(parent, name)
            if path.is_symlink() and not (is_inside(path, root) and not os.path.islink(os.path.realpath(path))):
                raise UserError(f"{path} leads to {path.readlink()}, not to a file in {root}: remove the link")
        if Path(parent).name == "wandb":  # W&B links its log into its runs, and writes each run to a new directory
            directories.clear()


def prepare_directory(directory: Path, config: Config) -> None:
    """Prepare a run's directory and write the configuration. Without a checkpoint to resume from, the files of an
    unfinished attempt are removed.

    Raises UserError if another process works in it, if it cannot be written or a link in it leads out of `runs`, and
    if `resume=must` finds no checkpoint.
    """
    from lightning_seq.training.checkpoints import good_checkpoints

    check_links(directory, Path(config["runs"]))
    if is_running(directory):
        raise _is_being_run(directory)
    start = None if config["resume"] == "never" else next(good_checkpoints(directory / CHECKPOINTS), None)
    if start is None and config["resume"] == "must":
        raise UserError(f"{directory} has no checkpoint to resume from: give resume=auto to start without one")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if start is None:
            for name in (CHECKPOINTS, "wandb", "tensorboard"):
                shutil.rmtree(directory / name, ignore_errors=True)
            for name in (FILE, LOG, "metrics.csv", "predictions.parquet", "word_map.json"):
                (directory / name).unlink(missing_ok=True)
        for path in [*directory.glob(RANK_ERROR.format("*")), *directory.rglob(".*.part")]:
            path.unlink(missing_ok=True)
        write_config(directory, config)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
        ) from error
