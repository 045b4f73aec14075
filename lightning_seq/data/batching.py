"""Batches of texts of nearly equal length, the same for every architecture and any number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lightning_seq.errors import UserError

NOBODY = -1
"""Stands in for a sample where a rank's share of a batch is empty."""


class Share(NamedTuple):
    """One rank's rows of a global batch, and how many rows that batch has."""

    rows: list[int]
    count: int


class BucketSampler:
    """Global batches as a pure function of (seed, epoch, position), of which rank r takes every world-th row.

    lengths:    `[N]`, in tokens.
    batch_size: rows of a *global* batch.
    shuffle:    a new order in every epoch; without it, one order by length for all.
    pool:       how many batches are sorted by length at a time: more of them, less padding and less chance.

    Every row comes once an epoch, and every rank makes the same number of steps. A rank whose share is empty gets
    `NOBODY`.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        pool: int = 100,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"data.batch_size is {batch_size}, expected at least 1")
        self.lengths, self.batch_size, self.seed, self.shuffle, self.pool = lengths, batch_size, seed, shuffle, pool
        self.rank, self.world = rank, world
        self.epoch = self.position = 0

    @property
    def sampler(self) -> BucketSampler:
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def start_at(self, position: int) -> None:
        """The next iteration begins with this batch of its epoch: a run that was cut short goes on where it was."""
        self.position = position

    def batches(self, epoch: int) -> list[np.ndarray]:
        """All global batches of an epoch, in order."""
        N, B = len(self.lengths), self.batch_size
        if not self.shuffle:
            return np.split(np.argsort(-self.lengths, kind="stable"), range(B, N, B))
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, epoch]))
        order = generator.permutation(N)
        made: list[np.ndarray] = []
        for start in range(0, N, B * self.pool):
            part = order[start : start + B * self.pool]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            made += np.split(part, range(B, len(part), B))
        return [made[index] for index in generator.permutation(len(made))]

    def __iter__(self) -> Iterator[Share]:
        start, self.position = self.position, 0
        for batch in self.batches(self.epoch)[start:]:
            mine = batch[self.rank :: self.world].tolist()
            yield Share(mine or [NOBODY], len(batch))

    def __len__(self) -> int:
        """Batches of an epoch: each pool's last one may be short."""
        full, rest = divmod(len(self.lengths), self.batch_size)
        return full + bool(rest)


def padding_share(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """The share of places that are padding when each batch is as long as its longest row."""
    places = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 1 - int(lengths.sum()) / places
