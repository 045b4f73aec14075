"""Checkpoint files: complete or absent, each with a checksum next to it, and always a good one to resume from."""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_NOTE, Plain, existing_file, read_text, replacing, sha256, write_text

if TYPE_CHECKING:
    from lightning_seq.data.module import DataModule, PreparedData, Reader

CHECKPOINT_VERSION = 1
BEST = "best.ckpt"
"""The weights with which a run was tested."""
LAST, BEFORE = "last.ckpt", "before.ckpt"
"""The checkpoint from which a run resumes, and the one from which it resumes if the first is damaged."""
OF_BEST = "weights_of_best"
"""Key of a last checkpoint whose weights are those of the best one: it holds the SHA-256 of that one."""

_NOT_WRITTEN = re.compile(r"unexpected pos|PytorchStreamWriter|failed writing")
"""Errors of torch's writer when a write to the file fails."""

Checkpoint = dict[str, Plain]
"""Plain values and tensors."""

log = logging.getLogger("lightning_seq")


def sidecar(path: Path) -> Path:
    """The file with the SHA-256 of a checkpoint, in the format of `sha256sum`."""
    return path.with_name(f"{path.name}.sha256")


def recorded(path: Path) -> list[str]:
    """The SHA-256 in the sidecar of a checkpoint; two while a checkpoint replaces another, none without a sidecar."""
    try:
        return [line.split()[0] for line in read_text(sidecar(path), LARGEST_NOTE).splitlines() if line.split()]
    except (OSError, ValueError):
        return []


def is_good(path: Path) -> bool:
    """Whether a checkpoint exists and its checksum is right."""
    return _has(path, *recorded(path))


def check_selected(best: Path | None) -> None:
    """Raises UserError if the checkpoint with the selected weights is not good: the run would be tested with others."""
    if best is not None and not is_good(best):
        raise UserError(
            f"{best} is missing or damaged, and this run had selected its weights: put it back, or give resume=never "
            "to start again"
        )


def _has(path: Path, *digests: str) -> bool:
    """Whether a file exists and has one of these SHA-256."""
    try:
        return bool(digests) and path.is_file() and sha256(path) in digests
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
    """Write a temporary file, flush it to disk, rename it. If this is killed at any moment, the checkpoint at `path` or
    the one before it is complete and has its checksum.

    Raises UserError if it cannot be written (a full disk); the checkpoint before it stays as it was.
    """
    try:
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
            digest = sha256(temporary)
            if path.name == LAST:
                _set_aside(path)
            _write_sidecar(path, [digest, *(recorded(path)[:1] if path.exists() else [])])
        _write_sidecar(path, [digest])
        if os.name == "posix":  # flush the renames to disk
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _NOT_WRITTEN.search(str(error)):
            raise
        reason = error.strerror if isinstance(error, OSError) else "the disk is full, or its quota is used up"
        raise UserError(
            f"{path} cannot be written ({reason}): make room there; the same command resumes the run"
        ) from error


def _set_aside(last: Path) -> None:
    """Move the last checkpoint to the name of the one before: at every moment one of the two is complete."""
    digests, before = recorded(last), last.with_name(BEFORE)
    if digests and last.is_file():
        _write_sidecar(before, digests)
        last.replace(before)


def share_weights(checkpoint: Checkpoint, best: Path) -> Checkpoint:
    """The checkpoint with the SHA-256 of the best one instead of its weights, if the best one is good and has the same
    weights; else the checkpoint as it is."""
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
    """Remove the checkpoint before the last one, which no run needs once the last one is complete and final."""
    if is_good(directory / LAST):
        remove_checkpoint(directory / BEFORE)


def remove_checkpoint(path: Path) -> None:
    for file in (path, sidecar(path)):
        file.unlink(missing_ok=True)


def _write_sidecar(path: Path, digests: list[str]) -> None:
    write_text(sidecar(path), "".join(f"{digest}  {path.name}\n" for digest in digests))


def read_checkpoint(path: Path, map_location: torch.serialization.MAP_LOCATION = "cpu") -> Checkpoint:
    """Read plain values and tensors; no code in the file is run.

    Raises UserError if it is missing, no regular file, or damaged.
    """
    path = existing_file(path, "checkpoint")
    if recorded(path) and path.is_file() and not is_good(path):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in {sidecar(path).name}; use another one")
    checkpoint = _read(path, map_location)
    digest = checkpoint.pop(OF_BEST, None)
    if digest is None:
        return checkpoint
    best = path.with_name(BEST)
    if not _has(best, digest):
        raise UserError(
            f"{path} has its weights in {BEST} next to it, which is missing or has changed: copy both files of the run"
        )
    return {**checkpoint, "state_dict": _read(best, map_location)["state_dict"]}


def _read(path: Path, map_location: torch.serialization.MAP_LOCATION = "cpu", mmap: bool = False) -> Checkpoint:
    """mmap: whether tensors stay on disk until they are used."""
    try:
        _check_archive(path)
        checkpoint = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except Exception as error:  # torch's reader may raise anything on a damaged file
        raise UserError(
            f"{path} is not a checkpoint that can be read safely ({type(error).__name__}): "
            "expected one that lightning-seq wrote"
        ) from error
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path} is not a checkpoint of lightning_seq: expected one from a run's checkpoints/")
    return checkpoint


def _check_archive(path: Path) -> None:
    """Raises ValueError unless the file is an archive of parts that are not compressed, so that it takes no more memory
    than it has bytes."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError("a part of it is compressed")
    if sum(part.file_size for part in parts) > path.stat().st_size:
        raise ValueError("its parts are larger than the file")


def fits(weights: Mapping[str, object], model: nn.Module) -> str | None:
    """The reason why weights do not fit a model, which may be on the device `meta`; None if they do.

    Each weight must be stored in full: a single number may be expanded to any size, and several weights may share
    their numbers only where the model ties them.
    """
    state, owners = model.state_dict(keep_vars=True), dict[int, object]()
    for name in sorted({*weights, *state}):
        own, weight = state.get(name), weights.get(name)
        if own is None or weight is None:
            return f"{name} is {'missing' if weight is None else 'not part of the model'}"
        if not isinstance(weight, torch.Tensor) or weight.layout is not torch.strided or weight.is_quantized:
            return f"{name} is no tensor"
        if weight.shape != own.shape or weight.is_complex() != own.is_complex():
            return f"{name} has the shape {[*weight.shape]}, expected {[*own.shape]}"
        shared = owners.setdefault(weight.untyped_storage().data_ptr(), own) is not own and weight.nbytes > 0
        if shared or weight.nbytes > weight.untyped_storage().nbytes():
            return f"{name} is not stored in full"
    return None


def checkpoint_metadata(config: Config, data: DataModule[PreparedData, Reader]) -> Checkpoint:
    """The plain values of a checkpoint, with which one can build the model and encode new text."""
    return {"version": CHECKPOINT_VERSION, "config": config, "data": data.to_plain()}
