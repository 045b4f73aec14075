"""Windows over series: which there are, the order in which training draws them, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard, step_counts
from lightning_seq.data.planner import Planner

_STREAM = 2
VERSION = 1
"""Of the order of the windows: a run cannot resume from a checkpoint of another version."""


@dataclass(frozen=True)
class Windows:
    """The windows of a split. Series s has `counts[s]` of them; their origins, the first steps to predict, are
    `firsts[s]`, `firsts[s] + stride`, …

    starts: `[S]`, the place of each series in the flat arrays. observed: `[N + 1]`, how many values are there before
    each place.
    """

    firsts: np.ndarray
    counts: np.ndarray
    stride: int
    starts: np.ndarray
    observed: np.ndarray
    horizon: int

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def _before(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.counts)])

    def at(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The series of windows, and their origins within it."""
        before = self._before
        series = np.searchsorted(before, rows, side="right") - 1
        return series, self.firsts[series] + (rows - before[series]) * self.stride

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """How many values of each window's horizon are there."""
        series, origins = self.at(rows)
        places = self.starts[series] + origins
        return self.observed[places + self.horizon] - self.observed[places]


class WindowSampler(Planner[BatchShard]):
    """The windows of an epoch: in training `size` of them at random, a pure function of (seed, epoch); else all in
    order. Rank r of `world` takes every `world`-th window of a global batch from the r-th.

    size: None or as many as there are: every window once; fewer: drawn with repetition.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        seed: int = 1,
        shuffle: bool = True,
        size: int | None = None,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world:
            raise ValueError(f"batch_size {batch_size}, rank {rank} of {world}: out of range")
        super().__init__(seed, accumulate)
        self.windows, self.batch_size, self.shuffle = windows, batch_size, shuffle
        self.size = min(size or len(windows), len(windows))
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[BatchShard]:
        position, batches = self.take_position(), self.global_batches(self.epoch)
        counts = step_counts([self.count_of(batch) for batch in batches], self.accumulate)
        for batch, count in list(zip(batches, counts, strict=True))[position:]:
            own = batch[self.rank :: self.world].tolist()
            yield BatchShard(own or [PADDING_SAMPLE], max(count, 1), self.epoch if self.shuffle else 0)

    def count_of(self, batch: np.ndarray) -> int:
        return int(self.windows.targets(batch).sum())

    def global_batches(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, in order, with the windows of all ranks."""
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, _STREAM, epoch]))
        if not self.shuffle:
            order = np.arange(self.size)
        elif self.size < len(self.windows):
            order = generator.integers(0, len(self.windows), self.size)
        else:
            order = generator.permutation(self.size)
        return [order[start : start + self.batch_size] for start in range(0, self.size, self.batch_size)]


def filled(values: np.ndarray, lengths: np.ndarray, fill: str) -> np.ndarray:
    """Values `[B, C]` with NaN, filled within each row alone, so that no later value enters a window.

    A gap at the beginning of a row stays, and with `none` every gap.
    """
    if fill == "none":
        return values
    values = values.copy()
    for row in np.flatnonzero(np.isnan(values).any(1)).tolist():
        part = values[row, : lengths[row]]
        there = np.flatnonzero(~np.isnan(part))
        if not len(there):
            continue
        places = np.arange(there[0], len(part))
        if fill == "linear":
            part[places] = np.interp(places, there, part[there])
        else:
            part[places] = part[there[np.searchsorted(there, places, side="right") - 1]]
    return values
