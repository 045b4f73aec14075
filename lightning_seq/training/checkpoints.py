"""Checkpoint files: whole or absent, each with a checksum next to it, and always a good one to resume from."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_NOTE, Plain, existing_file, read_text, replacing, sha256, write_text

BEST = "best.ckpt"
"""The weights that a run was tested with."""
LAST, BEFORE = "last.ckpt", "before.ckpt"
"""The checkpoint that a run resumes from, and the one that it resumes from when the first is damaged."""
OF_BEST = "weights_of_best"
"""Key of a last checkpoint without weights of its own: they are those of the best one, whose SHA-256 it holds."""

Checkpoint = dict[str, Plain]
"""Plain values and tensors."""

log = logging.getLogger("lightning_seq")


def sidecar(path: Path) -> Path:
    """Holds the SHA-256 of a checkpoint, as `sha256sum` writes and checks it."""
    return path.with_name(f"{path.name}.sha256")


def recorded(path: Path) -> list[str]:
    """The SHA-256 in the sidecar of a checkpoint; two while a checkpoint replaces another, none without a sidecar."""
    try:
        return [line.split()[0] for line in read_text(sidecar(path), LARGEST_NOTE).splitlines() if line.split()]
    except (OSError, ValueError):
        return []


def is_good(path: Path) -> bool:
    """Whether a checkpoint exists and its checksum is right."""
    return any(_has(path, digest) for digest in recorded(path))


def _has(path: Path, digest: str) -> bool:
    """Whether a file exists and has this SHA-256."""
    try:
        return path.is_file() and sha256(path) == digest
    except OSError:
        return False


def good_checkpoints(directory: Path) -> Iterator[Path]:
    """The checkpoints that a run may resume from, the newest first; a warning names each damaged one."""
    for name in (LAST, BEFORE):
        path = directory / name
        if is_good(path):
            digest = _read(path, mmap=True).get(OF_BEST)
            if digest is None or _has(path.with_name(BEST), digest):
                yield path
            else:
                log.warning("%s has its weights in %s, which is missing or has changed: it is not used", path, BEST)
        elif path.exists():
            log.warning("%s is damaged (its SHA-256 is not the recorded one): the checkpoint before it is used", path)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a temporary file, flush it to disk, rename it. Whenever this is killed, the checkpoint at `path` or the one
    before it is whole and has its checksum.

    Raises UserError when it cannot be written (a full disk); the checkpoint before it stays as it was.
    """
    try:
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
            digest = sha256(temporary)
            if path.name == LAST:
                _set_aside(path)
            _describe(path, [digest, *(recorded(path)[:1] if path.exists() else [])])
        _describe(path, [digest])
        _flush(path.parent)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): make room there; the same command resumes the run"
        ) from error


def _set_aside(last: Path) -> None:
    """Move the last checkpoint to the name of the one before: at every moment one of the two is whole."""
    digests = recorded(last)
    if digests and last.is_file():
        before = last.with_name(BEFORE)
        _describe(before, digests)
        last.replace(before)


def share_weights(checkpoint: Checkpoint, best: Path) -> Checkpoint:
    """The checkpoint without its weights where those of the best one are the same: it holds that one's SHA-256 instead.

    Where the best one is missing or damaged, or has other weights, the checkpoint is returned as it is.
    """
    if not is_good(best) or not _are_equal(checkpoint["state_dict"], _read(best, mmap=True)["state_dict"]):
        return checkpoint
    own = {key: value for key, value in checkpoint.items() if key != "state_dict"}
    return {**own, OF_BEST: sha256(best)}


def _are_equal(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two states have the same weights, bit for bit."""
    return one.keys() == other.keys() and all(
        isinstance(value, torch.Tensor)
        and value.dtype == other[name].dtype
        and value.shape == other[name].shape
        and torch.equal(_bytes(value), _bytes(other[name]))
        for name, value in one.items()
    )


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


def remove_before(directory: Path) -> None:
    """Remove the checkpoint before the last one, which no run needs once the last one is whole and final."""
    if is_good(directory / LAST):
        for file in (directory / BEFORE, sidecar(directory / BEFORE)):
            file.unlink(missing_ok=True)


def _describe(path: Path, digests: list[str]) -> None:
    write_text(sidecar(path), "".join(f"{digest}  {path.name}\n" for digest in digests))


def _flush(directory: Path) -> None:
    """Flush the renames in a directory to disk."""
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_checkpoint(path: Path, map_location: Any = "cpu") -> Checkpoint:
    """Plain values and tensors alone: nothing in the file is run.

    Raises UserError where it is missing, no regular file, or damaged.
    """
    path = existing_file(path, "checkpoint")
    if recorded(path) and path.is_file() and not is_good(path):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in {sidecar(path).name}; use another one")
    found = _read(path, map_location)
    digest = found.pop(OF_BEST, None)
    if digest is None:
        return found
    best = path.with_name(BEST)
    if not _has(best, digest):
        raise UserError(
            f"{path} has its weights in {BEST} next to it, which is missing or has changed: copy both files of the run"
        )
    return {**found, "state_dict": _read(best, map_location)["state_dict"]}


def _read(path: Path, map_location: Any = "cpu", mmap: bool = False) -> Checkpoint:
    """mmap: whether tensors stay on disk until they are used."""
    try:
        found = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except Exception as error:  # torch's reader may raise anything on a damaged file
        raise UserError(
            f"{path} is not a checkpoint that can be read safely ({type(error).__name__}): "
            "expected one that lightning-seq wrote"
        ) from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a checkpoint of lightning_seq: expected one from a run's checkpoints/")
    return found


def checkpoint_metadata(config: Config, data: Any) -> Checkpoint:
    """The plain values that a checkpoint holds besides weights: enough to build the model and to read new text."""
    return {"version": CHECKPOINT_VERSION, "config": config, "data": data.to_plain()}


CHECKPOINT_VERSION = 1
