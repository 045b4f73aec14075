"""Seconds and tokens of training."""

from __future__ import annotations

from time import perf_counter

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.files import Plain
from lightning_seq.spec import Batch


class TrainingClock(Callback):
    """Counts seconds of training alone (the clock stops in validation) and real tokens, over all resumes.

    tokens: of this rank.
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

    def on_train_start(self, *_: object, **__: object) -> None:
        self._since = perf_counter()

    def on_validation_start(self, *_: object, **__: object) -> None:
        self._before, self._since = self.seconds, None

    on_train_end = on_validation_start

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.on_train_start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        self._tokens = self._tokens + batch.mask.sum()

    def tokens_of_all_ranks(self, trainer: Trainer) -> int:
        own = torch.as_tensor(self._tokens, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(own, reduce_op="sum"))

    def state_dict(self) -> dict[str, Plain]:
        return {"seconds": self.seconds, "tokens": self.tokens}

    def load_state_dict(self, state_dict: dict[str, Plain]) -> None:
        self._before, self._tokens = state_dict["seconds"], state_dict["tokens"]
