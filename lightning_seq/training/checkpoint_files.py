"""How Lightning writes and reads the files of `checkpoints.py`."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor

from lightning_seq.callbacks.finite_guard import are_finite
from lightning_seq.lightning_internals import END
from lightning_seq.training.checkpoints import (
    BEST,
    LAST,
    Checkpoint,
    is_good,
    read_checkpoint,
    remove_checkpoint,
    share_weights,
    write_checkpoint,
)
from lightning_seq.training.resume import KEY

OF_TRAINING = (
    "loops", "callbacks", "optimizer_states", "lr_schedulers", "averaging_state", "current_model_state",
    "carried_state",
)  # fmt: skip
"""Keys that only training reads, and only in the last checkpoint."""

log = logging.getLogger("lightning_seq")


class CheckpointFiles(CheckpointIO):
    """Writes and reads the checkpoints of Lightning, but no weights that are not finite.

    The last checkpoint holds the whole state of the training; the best one holds a model. At the end of a run the last
    one holds no weights if the best one has the same.

    keep_optimizer: whether the best one also holds the state of the training.

    has_best: whether the best one was written, or was there when the run resumed.
    """

    def __init__(self, keep_optimizer: bool = False) -> None:
        self.keep_optimizer = keep_optimizer
        self.has_best = False
        self._known = False

    def save_checkpoint(self, checkpoint: Checkpoint, path: str | Path, storage_options: object = None) -> None:
        path = Path(path)
        states = [*checkpoint.get("state_dict", {}).values(), *checkpoint.get("current_model_state", {}).values()]
        if not are_finite([one for one in states if isinstance(one, Tensor) and one.is_floating_point()]):
            log.warning("%s was not written: weights are not finite", path)
            return
        if path.name == LAST and not self._known:
            self._known = True
            if path.exists() and not is_good(path):  # it must not replace the good one before it
                path.unlink()
        if path.name == BEST and not self.keep_optimizer:
            checkpoint = {key: value for key, value in checkpoint.items() if key not in OF_TRAINING}
        if path.name == LAST and checkpoint.get(KEY, {}).get("place") == END:
            checkpoint = share_weights(checkpoint, path.with_name(BEST))
        write_checkpoint(path, checkpoint)
        self.has_best = self.has_best or path.name == BEST

    def load_checkpoint(
        self, path: str | Path, map_location: torch.serialization.MAP_LOCATION = "cpu", weights_only: bool | None = None
    ) -> Checkpoint:
        self.has_best = Path(path).with_name(BEST).is_file()
        return read_checkpoint(Path(path), map_location or "cpu")

    def remove_checkpoint(self, path: str | Path) -> None:
        remove_checkpoint(Path(path))
