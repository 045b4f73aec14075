"""DataLoaders of whole batches, and the training loader that knows its position in the epoch."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.planner import Planner
from lightning_seq.spec import Batch

_PR_SET_PDEATHSIG = 1
_GRACE = 10
"""Seconds for which a worker continues after SIGTERM."""


def loader_options(sampler: Planner[object], num_workers: int) -> dict[str, Any]:
    """Arguments of a DataLoader over a dataset whose items are whole batches."""
    return {
        "batch_size": None,
        "sampler": sampler,
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "worker_init_fn": leave_signals_to_the_run if num_workers > 0 else None,
        # Without its own generator torch draws from the stream of the run whenever the loader is iterated.
        "generator": torch.Generator().manual_seed(sampler.seed),
    }


def leave_signals_to_the_run(worker: int) -> None:
    """Let a worker ignore signals, as the run may need more batches before it ends, and end when the run is killed."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end_workers(loader: object) -> None:
    """End the workers of a loader now: an exception may keep the loader alive until the process ends."""
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None and hasattr(iterator, "_shutdown_workers"):
        iterator._shutdown_workers()


class TrainLoader(DataLoader[Batch]):
    """A DataLoader that counts the batches of the epoch so far.

    Lightning keeps its state in checkpoints: a run that ended within an epoch resumes with the next batch.
    """

    def __init__(self, batches: Dataset[Batch], sampler: Planner[object], num_workers: int = 0) -> None:
        super().__init__(batches, **loader_options(sampler, num_workers))
        self._planner, self._handed_out = sampler, 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        self._handed_out = self._planner.position
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"position": self._handed_out % len(self)}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._planner.start_at(state_dict["position"])
