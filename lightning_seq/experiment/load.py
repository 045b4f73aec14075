"""Back from a checkpoint: the model, and what it needs to read new text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.experiment.build import build_model
from lightning_seq.experiment.checkpoints import read_checkpoint
from lightning_seq.experiment.kinds.kind import kind_of
from lightning_seq.experiment.run import CHECKPOINT_VERSION
from lightning_seq.spec import Class, DataSpec


@dataclass(frozen=True)
class Loaded:
    """A trained model in evaluation mode.

    config: the resolved configuration it was trained with.
    spec:   what goes in and what comes out.
    reader: from text to batches, as in training.
    """

    model: Any
    config: dict[str, Any]
    spec: DataSpec
    reader: Any

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str], first: int = 1) -> Tensor:
        """`[B, C]`, one row per text; `first` is the number of the first one.

        Raises UserError for an empty text, and where the model is no classifier.
        """
        if not isinstance(self.spec.targets, Class):
            raise UserError(f"this model predicts {type(self.spec.targets).__name__}, expected a classifier")
        batch = self.reader.encode(texts, first)
        return torch.softmax(self.model(batch.inputs, batch.mask), -1)


def load(path: str | Path, allow: Sequence[str] = ()) -> Loaded:
    """Rebuild a model from `checkpoints/best.ckpt` or `last.ckpt`.

    Only plain values and tensors are read, nothing in the file is run. `allow` admits modules of your own, as on the
    command line; what the checkpoint itself says about that is not believed.

    Raises UserError when the file is missing, damaged, not a checkpoint of ours, or of another version.
    """
    path = Path(path).expanduser()
    checkpoint = read_checkpoint(path)
    about = checkpoint.get("lightning_seq")
    if not isinstance(about, dict):
        raise UserError(f"{path} is not a checkpoint of lightning_seq: expected one from a run's checkpoints/")
    if about.get("version") != CHECKPOINT_VERSION:
        raise UserError(
            f"{path} is a checkpoint of version {about.get('version')}, this lightning_seq reads {CHECKPOINT_VERSION}: "
            "train again, or use the version that wrote it"
        )
    reader = kind_of(DataSpec.from_plain(about["data"]["spec"])).reader(about["data"])
    config = {**about["config"], "allow": list(allow)}
    model = build_model(config, reader.spec, config["embedding"]["size"])
    weights = checkpoint["state_dict"]
    model.load_state_dict(
        {key.removeprefix("model."): value for key, value in weights.items() if key.startswith("model.")}
    )
    return Loaded(model.eval(), config, reader.spec, reader)
