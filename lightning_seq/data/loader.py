"""How every DataModule hands out its batches: DataLoaders of whole batches, and the place in an epoch."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.bucket_sampler import BucketSampler
from lightning_seq.data.columns_sampler import ColumnsSampler
from lightning_seq.spec import Batch

Planner = BucketSampler | ColumnsSampler
"""What says which batches an epoch has: it can begin with any of them."""


def loader_options(sampler: Planner, num_workers: int) -> dict[str, Any]:
    """Arguments of a DataLoader over a dataset whose items are whole batches."""
    return {
        "batch_size": None,
        "sampler": sampler,
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "worker_init_fn": live_and_die_with_the_run if num_workers > 0 else None,
        # A generator of its own: torch would otherwise draw from the run's stream whenever the loader is iterated.
        "generator": torch.Generator().manual_seed(sampler.seed),
    }


_PR_SET_PDEATHSIG = 1


_GRACE = 10
"""Seconds for which a worker goes on after SIGTERM."""


def live_and_die_with_the_run(worker: int) -> None:
    """Leave signals to the run, which may want more batches before it ends; end with it where it is killed."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end_workers(loader: Any) -> None:
    """Now, and not when nobody refers to them any more: what an exception refers to stays until the process ends."""
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None and hasattr(iterator, "_shutdown_workers"):
        iterator._shutdown_workers()


def accumulated(data: LightningDataModule) -> int:
    """Batches of an optimiser step, as the trainer of `data` makes it; 1 without a trainer."""
    return data.trainer.accumulate_grad_batches if data.trainer else 1


class TrainLoader(DataLoader[Batch]):
    """A DataLoader that knows how many batches of the epoch it has handed out.

    Lightning keeps its state in checkpoints, so that a run that ended in mid-epoch goes on with the next batch.
    """

    def __init__(self, batches: Dataset[Batch], sampler: Planner, num_workers: int = 0) -> None:
        super().__init__(batches, **loader_options(sampler, num_workers))
        self._handed_out = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        assert isinstance(self.sampler, Planner)
        self._handed_out = self.sampler.position
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"position": self._handed_out % len(self)}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        assert isinstance(self.sampler, Planner)
        self.sampler.start_at(state_dict["position"])


class TargetSampler(BucketSampler):
    """As `BucketSampler`, with any number of targets per sample.

    targets: `[N]`, targets per sample: a loss over a batch of sentences is a mean over their words.
    """

    def __init__(self, lengths: np.ndarray, targets: np.ndarray, batch_size: int, *args: Any, **options: Any) -> None:
        super().__init__(lengths, batch_size, *args, **options)
        self.targets = np.asarray(targets)

    def count_of(self, batch: np.ndarray) -> int:
        return int(self.targets[batch].sum())
