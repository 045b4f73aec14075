"""Back from a checkpoint: the model, and what it needs to read new text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning_seq.builders.build import build_model
from lightning_seq.builders.kinds import kind_of
from lightning_seq.builders.task_kind import Loaded
from lightning_seq.errors import UserError
from lightning_seq.files import existing_file, place
from lightning_seq.printable import number_of
from lightning_seq.records.old_configuration import modern
from lightning_seq.spec import DataSpec
from lightning_seq.training.checkpoints import BEST, CHECKPOINT_VERSION, read_checkpoint
from lightning_seq.training.directory import CHECKPOINTS, CONFIG

__all__ = ["Loaded", "checkpoint_file", "load"]
_SHOWN = 12
"""Runs of a comparison that a message names."""


def checkpoint_file(path: str | Path) -> Path:
    """The checkpoint that a path stands for: a file, or the best of a run's directory."""
    found = place(path, "checkpoint")
    if not found.is_dir():
        return existing_file(path, "checkpoint")
    for best in (found / CHECKPOINTS / BEST, found / BEST):
        if best.is_file():
            return existing_file(best, "checkpoint")
    runs = sorted(best.parents[1] for depth in ("*", "*/*") for best in found.glob(f"{depth}/{CHECKPOINTS}/{BEST}"))
    if runs:
        shown = ", ".join(map(str, runs[:_SHOWN])) + (", …" if len(runs) > _SHOWN else "")
        wanted = "its path" if len(runs) == 1 else "the path of one of them"
        raise UserError(f"checkpoint={path} holds {number_of(len(runs), 'run')}, expected {wanted}: {shown}")
    if (found / CHECKPOINTS).is_dir() or (found / CONFIG).is_file():
        raise UserError(f"checkpoint={path}: this run has no {CHECKPOINTS}/{BEST}: train it to its first validation")
    raise UserError(f"checkpoint={path} is a directory without a run: give one such as runs/demo/lstm-seed1")


def load(path: str | Path, allow: Sequence[str] = ()) -> Loaded:
    """Rebuild a model from `checkpoints/best.ckpt` or `last.ckpt`, or from a run's directory: its best.

    Only plain values and tensors are read, nothing in the file is run. `allow` admits modules of your own, as on the
    command line; what the checkpoint itself says about that is not believed.

    Raises UserError when the file is missing, damaged, not a checkpoint of ours, or of another version; for the
    directory of a comparison it names the runs.
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
    kind = kind_of(DataSpec.from_plain(about["data"]["spec"]))
    reader = kind.reader(about["data"])
    config = {**modern(about["config"]), "allow": list(allow)}
    model = build_model(config, reader.spec, config["embedding"]["size"])
    weights = checkpoint["state_dict"]
    model.load_state_dict(
        {key.removeprefix("model."): value for key, value in weights.items() if key.startswith("model.")}
    )
    return Loaded(model.eval(), config, reader.spec, reader, kind)
