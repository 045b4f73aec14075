"""Directories that are built once, in one step, and checked by the SHA-256 of their files."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from lightning_seq.errors import UserError, first_line
from lightning_seq.files import DAMAGE, LARGEST_NOTE, DamagedError, T, read_json, sha256, write_json

SEAL = "sums.json"
log = logging.getLogger("lightning_seq")


def cached(target: Path, build: Callable[[Path], None], read: Callable[[Path], T]) -> T:
    """The result of `read` on `target`, a directory that `build` fills unless it is complete already.

    A directory that `read` cannot read is built again, with a warning.
    Raises UserError if the directory cannot be written, and the error of `read` on one that was built just now.
    """
    sealed_directory(target, build)
    with suppress(*DAMAGE):
        return read(target)
    with _building(target):
        try:
            return read(target)  # another process may have built it again
        except DAMAGE as error:
            log.warning("%s cannot be read (%s): it is made again", target, first_line(error))
        _build(target, build)
    return read(target)


def sealed_directory(target: Path, build: Callable[[Path], None]) -> Path:
    """Return `target`, built by `build(directory)` unless it is complete already.

    A directory is complete if its `sums.json` lists every file with its SHA-256 and all of them agree: a damaged one is
    built again, and a warning names the damage. Builders in several processes wait for one another.
    """
    if damage_of(target) is None:
        return target
    with _building(target):
        damage = damage_of(target)
        if damage is not None:
            if os.path.lexists(target):
                log.warning("%s is damaged (%s): it is made again", target, damage)
            _build(target, build)
    return target


@contextmanager
def _building(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cache directory {target.parent} cannot be written ({error.strerror}): give another one with cache=DIR"
        ) from error
    with FileLock(target.parent / f".{target.name}.lock"):
        yield


def _build(target: Path, build: Callable[[Path], None]) -> None:
    for partial in target.parent.glob(f".{target.name}.*.part"):  # of builders that were killed
        shutil.rmtree(partial, ignore_errors=True)
    partial = target.parent / f".{target.name}.{secrets.token_hex(8)}.part"
    partial.mkdir()
    try:
        build(partial)
        write_json(partial / SEAL, {name: sha256(partial / name) for name in sorted(_names(partial))})
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        partial.replace(target)
    finally:
        with suppress(OSError):
            shutil.rmtree(partial)


def damage_of(directory: Path) -> str | None:
    """The damage of a sealed directory; None if its `sums.json` names exactly its files, with their checksums."""
    try:
        sums, names = read_json(directory / SEAL, dict, LARGEST_NOTE), _names(directory) - {SEAL}
        if not sums:
            return f"{SEAL} names no file"
        for name in sorted(names | sums.keys()):
            if name not in names:
                return f"{name} is not there"
            if name not in sums:
                return f"{SEAL} does not name {name}"
            if sha256(directory / name) != sums[name]:
                return f"{name} has another checksum"
    except FileNotFoundError:
        return f"{SEAL} is not there"
    except DamagedError as error:
        return f"{SEAL} cannot be read: {error}"
    except OSError as error:
        return f"its files cannot be read: {error.strerror}"
    return None


def _names(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
