"""The base of the samplers, which plan the batches of an epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from torch.utils.data import Sampler

T_co = TypeVar("T_co", covariant=True)


class Planner(Sampler[T_co], ABC):
    """Plans the batches of an epoch, a pure function of (seed, epoch), and can begin with any of them.

    accumulate: batches of an optimiser step; the last step of an epoch may have fewer.

    Give it to a DataLoader as `sampler=` with `batch_size=None`; Lightning calls `set_epoch`.
    """

    def __init__(self, seed: int, accumulate: int) -> None:
        self.seed, self.accumulate = seed, accumulate
        self.epoch, self.position = 0, 0

    @abstractmethod
    def __len__(self) -> int:
        """Batches in a whole epoch, in every process."""

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def start_at(self, position: int) -> None:
        """Let the next pass, and only that one, begin with batch number `position` of its epoch."""
        if not 0 <= position <= len(self):
            raise ValueError(f"position {position}, expected 0 to {len(self)}")
        self.position = position

    def take_position(self) -> int:
        """The batch that this pass begins with; the next pass begins with the first one."""
        position, self.position = self.position, 0
        return position
