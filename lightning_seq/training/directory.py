"""The directory of one run: what lies in it, who holds it, and how it is made ready."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, read_yaml, write_text
from lightning_seq.records.old_configuration import modern
from lightning_seq.records.record import FILE

CONFIG = "config.yaml"
LOG = "log.txt"
LOCK = ".lock"
MOMENT = 0.5
"""Seconds to wait for it: `is_running` holds it for an instant."""
CHECKPOINTS = "checkpoints"
TESTIMONY = "error-rank{}.txt"


def write_config(directory: Path, config: Config) -> None:
    import yaml

    write_text(directory / CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def read_config(directory: Path) -> Config:
    """Raises UserError when the run's configuration is not there or not readable."""
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


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Only one process at a time works on a run. Raises UserError when another one does."""
    lock = FileLock(directory / LOCK, timeout=MOMENT)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{directory} is being run by another process: wait for it, or give another name=NAME"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_running(directory: Path) -> bool:
    """Whether a process holds the run's lock now."""
    if not (directory / LOCK).exists():
        return False
    lock = FileLock(directory / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def lay_out(directory: Path, config: Config) -> None:
    """Make a run's directory ready: where there is a checkpoint to go on from, what it needs stays; else whatever an
    earlier, unfinished attempt left is taken away. The configuration is written.

    Raises UserError when another process is at work in it, it cannot be written, or `resume=must` finds nothing.
    """
    from lightning_seq.training.checkpoints import good_checkpoints
    from lightning_seq.training.resume import check_resume

    check_resume(config)
    if is_running(directory):
        raise UserError(f"{directory} is being run by another process: wait for it, or give another name=NAME")
    found = None if config["resume"] == "never" else next(good_checkpoints(directory / CHECKPOINTS), None)
    if found is None and config["resume"] == "must":
        raise UserError(f"{directory} has no checkpoint to go on from: give resume=auto to start where there is none")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if found is None:
            _take_away(directory)
        for left in [*directory.glob(TESTIMONY.format("*")), *directory.rglob(".*.part")]:
            left.unlink(missing_ok=True)
        write_config(directory, config)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written ({error.strerror}): give another place with runs=DIR"
        ) from error


def _take_away(directory: Path) -> None:
    for left in (CHECKPOINTS, "wandb", "tensorboard"):
        shutil.rmtree(directory / left, ignore_errors=True)
    for left in (FILE, LOG, "metrics.csv", "predictions.parquet", "word_map.json"):
        (directory / left).unlink(missing_ok=True)
