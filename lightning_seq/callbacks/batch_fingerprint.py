"""A fingerprint of the training samples and their order."""

from __future__ import annotations

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.files import Plain
from lightning_seq.spec import Batch

# Odd 64-bit constants of the splitmix64 generator (Steele, Lea & Flood 2014), as signed integers.
_GAMMA = -7046029254386353131
_MIX_1 = -4658895280553007687
_MIX_2 = -7723592293110705685

TOGETHER = 256
"""Batches that are hashed at once: a dozen small operations for each would cost more than a small model."""


class BatchFingerprint(Callback):
    """The sum over all training samples of a 64-bit hash of (batch number, sample id, number of targets that count).

    The id of a window of running text is its start; the number of targets distinguishes windows of different lengths.
    The sum is independent of the order inside a batch and of the ranks, so two architectures, or one rank and two, with
    the same batches have the same fingerprint.
    """

    def __init__(self) -> None:
        self._sum: Tensor | int = 0
        self._seen: Tensor | int = 0
        self._batches = 0
        self._epochs: list[int] = []
        self._waiting: list[tuple[Tensor, Tensor]] = []

    @property
    def seen(self) -> int:
        """Training samples of this rank, without padding samples."""
        self._add_waiting()
        return int(self._seen)

    @property
    def epochs(self) -> int:
        """Epochs that have ended."""
        return len(self._epochs)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        self._waiting.append((batch.ids + (self._batches << 32), batch.target_mask.reshape(len(batch.ids), -1).sum(1)))
        self._batches += 1
        if len(self._waiting) == TOGETHER:
            self._add_waiting()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._add_waiting()
        self._epochs.append(int(self._sum))

    def _add_waiting(self) -> None:
        if not self._waiting:
            return
        ids, counts = (torch.cat(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._sum = self._sum + torch.where(counts > 0, mixed(mixed(ids) + counts), 0).sum()
        self._seen = self._seen + (counts > 0).sum()

    def digest(self, trainer: Trainer) -> str:
        """Sixteen hex digits, equal on every rank."""
        self._add_waiting()
        return _digests([int(self._sum)], trainer)[0]

    def by_epoch(self, trainer: Trainer) -> str:
        """Eight hex digits for each epoch, of all samples up to its end: of two runs on the same batches, that of the
        shorter one is the beginning of that of the other."""
        return "-".join(digest[:8] for digest in _digests(self._epochs, trainer))

    def state_dict(self) -> dict[str, Plain]:
        self._add_waiting()
        sums = {"sum": int(self._sum), "batches": self._batches, "seen": int(self._seen)}
        return {**sums, "epochs": list(self._epochs)}

    def load_state_dict(self, state_dict: dict[str, Plain]) -> None:
        self._sum, self._batches, self._seen = state_dict["sum"], state_dict["batches"], state_dict["seen"]
        self._epochs = list(state_dict["epochs"])
        self._waiting.clear()


def _digests(sums: list[int], trainer: Trainer) -> list[str]:
    if not sums:
        return []
    own = torch.tensor(sums, dtype=torch.int64, device=trainer.strategy.root_device)
    return [f"{total & 0xFFFFFFFFFFFFFFFF:016x}" for total in trainer.strategy.reduce(own, reduce_op="sum").tolist()]


def mixed(values: Tensor) -> Tensor:
    """splitmix64 of each int64, wrapping."""
    x = (values + 1) * _GAMMA
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """A logical shift to the right: torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
