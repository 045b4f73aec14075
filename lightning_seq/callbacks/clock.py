"""Seconds and tokens of training."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.spec import Batch


class TrainingClock(Callback):
    """Counts seconds of training alone (the clock stops in validation) and real tokens, over all resumes.

    seconds: so far.
    tokens:  of this rank, so far.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None
        self._tokens: Tensor | int = 0

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else perf_counter() - self._since)

    @property
    def tokens(self) -> int:
        return int(self._tokens)

    def _start(self) -> None:
        self._since = perf_counter()

    def _stop(self) -> None:
        self._before, self._since = self.seconds, None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.training or trainer.state.fn == "fit":
            self._start()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._tokens = self._tokens + batch.mask.sum()

    def tokens_of_all_ranks(self, trainer: Trainer) -> int:
        mine = torch.as_tensor(self._tokens, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(mine, reduce_op="sum"))

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "tokens": self.tokens}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before, self._tokens = state_dict["seconds"], state_dict["tokens"]
