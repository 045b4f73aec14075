"""How Lightning writes and reads the files of `checkpoints.py`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

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
    share_weights,
    sidecar,
    write_checkpoint,
)
from lightning_seq.training.resume import KEY

OF_TRAINING = (
    "loops", "callbacks", "optimizer_states", "lr_schedulers", "averaging_state", "current_model_state",
    "carried_state",
)  # fmt: skip
"""Keys of a checkpoint that training alone reads, and only from the last one."""

log = logging.getLogger("lightning_seq")


def all_finite(weights: Checkpoint) -> bool:
    return are_finite([value for value in weights.values() if isinstance(value, Tensor) and value.is_floating_point()])


class CheckpointFiles(CheckpointIO):
    """How Lightning writes and reads checkpoints. Weights that are not finite are never written.

    The last checkpoint holds all that training needs to continue; the best one holds a model. At the end of a run the
    last one leaves out its weights where the best one has the same.

    keep_optimizer: whether the best one holds the optimiser's state and the rest of the training's too.
    """

    def __init__(self, keep_optimizer: bool = False) -> None:
        self.keep_optimizer = keep_optimizer
        self._known = False

    def save_checkpoint(self, checkpoint: Checkpoint, path: str | Path, storage_options: object = None) -> None:
        path = Path(path)
        if not all(all_finite(checkpoint.get(name, {})) for name in ("state_dict", "current_model_state")):
            log.warning("%s was not written: weights are not finite", path)
            return
        if path.name == LAST and not self._known:
            self._known = True
            if path.exists() and not is_good(path):  # it must not take the place of the good one before
                path.unlink()
        if path.name == BEST and not self.keep_optimizer:
            checkpoint = {key: value for key, value in checkpoint.items() if key not in OF_TRAINING}
        if path.name == LAST and checkpoint.get(KEY, {}).get("place") == END:
            checkpoint = share_weights(checkpoint, path.with_name(BEST))
        write_checkpoint(path, checkpoint)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> Checkpoint:
        return read_checkpoint(Path(path), map_location or "cpu")

    def remove_checkpoint(self, path: str | Path) -> None:
        for file in (Path(path), sidecar(Path(path))):
            file.unlink(missing_ok=True)
