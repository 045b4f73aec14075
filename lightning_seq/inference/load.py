"""Load a model and its reader of new text from a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from lightning_seq.builders.build import build_model
from lightning_seq.builders.kinds import kind_of
from lightning_seq.builders.task_kind import Loaded
from lightning_seq.config.schema import check
from lightning_seq.config.targets import resolve
from lightning_seq.errors import SHOWN, UserError, first_line
from lightning_seq.files import existing_file, place
from lightning_seq.printable import number_of
from lightning_seq.records.old_configuration import modern
from lightning_seq.spec import DataSpec
from lightning_seq.training.checkpoints import BEST, CHECKPOINT_VERSION, Checkpoint, fits, read_checkpoint
from lightning_seq.training.directory import CHECKPOINTS, CONFIG

__all__ = ["Loaded", "checkpoint_file", "load"]
_BUILT = ("model", "cell", "attention", "init", "task", "embedding")
"""The groups of a configuration that a model is built from."""
_SHOWN = 200


def checkpoint_file(path: str | Path) -> Path:
    """The checkpoint of a path: a file, or the best checkpoint of a run's directory."""
    directory = place(path, "checkpoint")
    if not directory.is_dir():
        return existing_file(path, "checkpoint")
    for best in (directory / CHECKPOINTS / BEST, directory / BEST):
        if best.is_file():
            return existing_file(best, "checkpoint")
    runs = sorted(best.parents[1] for depth in ("*", "*/*") for best in directory.glob(f"{depth}/{CHECKPOINTS}/{BEST}"))
    if runs:
        shown = ", ".join(map(str, runs[:SHOWN])) + (", …" if len(runs) > SHOWN else "")
        wanted = "its path" if len(runs) == 1 else "the path of one of them"
        raise UserError(f"checkpoint={path} holds {number_of(len(runs), 'run')}, expected {wanted}: {shown}")
    if (directory / CHECKPOINTS).is_dir() or (directory / CONFIG).is_file():
        raise UserError(f"checkpoint={path}: this run has no {CHECKPOINTS}/{BEST}: train it to its first validation")
    raise UserError(f"checkpoint={path} is a directory without a run: give one such as runs/demo/lstm-seed1")


def load(path: str | Path, allow: Sequence[str] = ()) -> Loaded:
    """Rebuild a model from `checkpoints/best.ckpt` or `last.ckpt`, or from a run's directory: its best checkpoint.

    Only plain values and tensors are read; no code of the file is run. allow: modules of your own, as on the command
    line; the `allow` in the checkpoint is ignored.

    Raises UserError for a file that is missing, damaged, not a checkpoint of lightning_seq, or of another version, and
    for the directory of a comparison, with the names of its runs.
    """
    path = checkpoint_file(path)
    checkpoint = read_checkpoint(path)
    about = checkpoint.get("lightning_seq")
    if not isinstance(about, dict):
        raise UserError(f"{path} is not a checkpoint of lightning_seq: expected one from a run's checkpoints/")
    if about.get("version") != CHECKPOINT_VERSION:
        raise UserError(
            f"{path} is a checkpoint of version {about.get('version')}, this lightning_seq reads {CHECKPOINT_VERSION}: "
            "train again, or use the version that wrote it"
        )
    try:
        return _rebuilt(checkpoint, about, allow)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # of any part that does not fit another one
        reason = f"{type(error).__name__}: {first_line(error)[:_SHOWN]}"
        raise UserError(
            f"{path} does not fit its own configuration ({reason}): expected a checkpoint as lightning-seq wrote it"
        ) from error


def _rebuilt(checkpoint: Checkpoint, about: Checkpoint, allow: Sequence[str]) -> Loaded:
    """The model of a checkpoint. Before memory is taken for it, its shapes are compared with those of the weights.

    Raises UserError for a configuration that is refused on the command line too, and any error for others.
    """
    kind = kind_of(DataSpec.from_plain(about["data"]["spec"]))
    reader = kind.reader(about["data"])
    config = {**modern(about["config"]), "allow": list(allow)}
    resolve(config["model"]["_target_"], "model", allow)
    check({name: config[name] for name in _BUILT if name in config})
    weights = {key: value for key, value in checkpoint["state_dict"].items() if key.startswith("model.")}
    weights = {key.removeprefix("model."): value for key, value in weights.items()}
    if not allow:  # a class of the user may need real tensors
        with torch.device("meta"):
            planned = build_model(config, reader.spec, config["embedding"]["size"])
        if reason := fits(weights, planned):
            raise ValueError(reason)
    model = build_model(config, reader.spec, config["embedding"]["size"])
    model.load_state_dict(weights)
    return Loaded(model.eval(), config, reader.spec, reader, kind)
