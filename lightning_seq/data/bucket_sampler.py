"""Batches of sentences of similar length, the same for any number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lightning_seq.data.planner import Planner

PADDING_SAMPLE = -1
"""The index of a rank without a sample in a batch: the rank computes sample 0, which does not count."""

_STREAM = 0
VERSION = 1
"""Of the order of the batches: a run cannot resume from a checkpoint of another version."""


@dataclass(frozen=True)
class BatchShard:
    """One rank's part of a global batch.

    indices: positions in the split; `[PADDING_SAMPLE]` for a rank without a sample.
    count:   the targets of all global batches whose gradients are accumulated for one optimiser step.
    epoch:   of the pass over a split in random order, else 0.
    """

    indices: list[int]
    count: int
    epoch: int = 0

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """`[B]` int64, the positions, 0 for a padding sample; `[B]` bool, False for a padding sample."""
        rows = np.array(self.indices, dtype=np.int64)
        real = rows != PADDING_SAMPLE
        return np.where(real, rows, 0), real


class BucketSampler(Planner[BatchShard]):
    """Batches of sentences of similar length.

    Samples are shuffled and split into pools of `pool_batches` batches; each pool is sorted by length and cut into
    batches, and these are shuffled. Rank r of `world` takes every `world`-th sample of a global batch from the r-th,
    all ranks make the same number of steps, and every sample comes exactly once in an epoch.

    Samples of which `batch_size` would be longer than `max_tokens` are in smaller batches of their own, the same in
    every epoch. Without such samples `max_tokens` changes nothing.

    lengths:    `[N]`, tokens per sample.
    batch_size: of the global batch, over all ranks.
    shuffle:    False: in every epoch the order of the data, sorted within pools.
    accumulate: global batches of an optimiser step.
    targets:    `[N]`, targets per sample, for losses that are means over targets (words of a sentence); None: one each.
    max_tokens: positions of a padded global batch; None: no limit.
    sizes:      `[N]`, positions of a sample; None: `lengths`.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        seed: int = 1,
        shuffle: bool = True,
        pool_batches: int = 100,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        targets: np.ndarray | None = None,
        max_tokens: int | None = None,
        sizes: np.ndarray | None = None,
    ) -> None:
        if batch_size < 1 or pool_batches < 1 or not 0 <= rank < world:
            raise ValueError(
                f"batch_size {batch_size}, pool_batches {pool_batches}, rank {rank} of {world}: out of range"
            )
        super().__init__(seed, accumulate)
        self.lengths, self.shuffle = np.asarray(lengths), shuffle
        self.batch_size, self.pool_batches = batch_size, pool_batches
        self.rank, self.world = rank, world
        self.targets = None if targets is None else np.asarray(targets)
        sizes = self.lengths if sizes is None else np.asarray(sizes)
        self._is_long = sizes > (max_tokens // batch_size if max_tokens else np.inf)
        self._of_long = _small_batches(np.flatnonzero(self._is_long), sizes, max_tokens or 0)

    def __len__(self) -> int:
        return -(-(len(self.lengths) - self.long) // self.batch_size) + len(self._of_long)

    @property
    def long(self) -> int:
        """The number of samples in smaller batches."""
        return int(self._is_long.sum())

    def __iter__(self) -> Iterator[BatchShard]:
        position, batches = self.take_position(), self.global_batches(self.epoch)
        counts = step_counts([self.count_of(batch) for batch in batches], self.accumulate)
        for batch, count in list(zip(batches, counts, strict=True))[position:]:
            own = batch[self.rank :: self.world].tolist()
            yield BatchShard(own or [PADDING_SAMPLE], count, self.epoch if self.shuffle else 0)

    def count_of(self, batch: np.ndarray) -> int:
        """Targets of a global batch."""
        return len(batch) if self.targets is None else int(self.targets[batch].sum())

    def global_batches(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, in order, with the samples of all ranks."""
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, _STREAM, epoch]))
        size, pool = len(self.lengths), self.batch_size * self.pool_batches
        order = generator.permutation(size) if self.shuffle else np.arange(size)
        order = order[~self._is_long[order]]
        batches: list[np.ndarray] = []
        for start in range(0, len(order), pool):
            members = order[start : start + pool]
            members = members[np.argsort(self.lengths[members], kind="stable")]
            cut = [members[first : first + self.batch_size] for first in range(0, len(members), self.batch_size)]
            batches += [cut[place] for place in generator.permutation(len(cut))] if self.shuffle else cut
        if not self._of_long:
            return batches
        batches += self._of_long
        return [batches[place] for place in generator.permutation(len(batches))] if self.shuffle else batches


def _small_batches(rows: np.ndarray, sizes: np.ndarray, max_tokens: int) -> list[np.ndarray]:
    """These samples by size, in batches of at most `max_tokens` padded positions, or of one sample."""
    batches: list[list[int]] = []
    for row in rows[np.argsort(sizes[rows], kind="stable")].tolist():
        if not batches or (len(batches[-1]) + 1) * int(sizes[row]) > max_tokens:
            batches.append([])
        batches[-1].append(row)
    return [np.array(batch) for batch in batches]


def step_counts(counts: list[int], accumulate: int) -> list[int]:
    """For each batch of an epoch the targets of its optimiser step, which has `accumulate` batches."""
    starts = range(0, len(counts), accumulate)
    return [sum(counts[start : start + accumulate]) for start in starts for _ in counts[start : start + accumulate]]


def padding_share(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """The part of all positions in the padded batches that are padding."""
    places = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    return 1 - int(lengths.sum()) / places if places else 0.0
