"""Seconds, CPU seconds and tokens of training."""

from __future__ import annotations

from math import isnan, nan
from time import perf_counter, process_time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.files import Plain
from lightning_seq.spec import Batch


class TrainingClock(Callback):
    """Counts seconds of training alone (the clock stops in validation) and real tokens, over all resumes.

    tokens:      of this rank.
    cpu_seconds: of all threads of this process during `seconds`; nan after a resume from a checkpoint without them.
    """

    def __init__(self) -> None:
        self._before = self._cpu_before = self._cpu_since = 0.0
        self._since: float | None = None
        self._tokens: Tensor | int = 0

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else perf_counter() - self._since)

    @property
    def cpu_seconds(self) -> float:
        return self._cpu_before + (0.0 if self._since is None else process_time() - self._cpu_since)

    @property
    def tokens(self) -> int:
        return int(self._tokens)

    def on_train_start(self, *_: object, **__: object) -> None:
        self._since, self._cpu_since = perf_counter(), process_time()

    def on_validation_start(self, *_: object, **__: object) -> None:
        self._before, self._cpu_before, self._since = self.seconds, self.cpu_seconds, None

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

    def cpu_share(self, trainer: Trainer) -> float | None:
        """CPU seconds for each second of training, of one process on the CPU; None for others, which wait for a GPU or
        for each other."""
        alone = trainer.world_size == 1 and trainer.strategy.root_device.type == "cpu"
        share = self.cpu_seconds / self.seconds if alone and self.seconds else nan
        return None if isnan(share) else round(share, 3)

    def state_dict(self) -> dict[str, Plain]:
        return {"seconds": self.seconds, "tokens": self.tokens, "cpu_seconds": self.cpu_seconds}

    def load_state_dict(self, state_dict: dict[str, Plain]) -> None:
        self._before, self._tokens = state_dict["seconds"], state_dict["tokens"]
        self._cpu_before = state_dict.get("cpu_seconds", nan)
