"""Batches of synthetic problems over numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.cache import PreparedData
from lightning_seq.data.example_ids import ExampleIds
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.problem import Problem, Sequences
from lightning_seq.data.sources.table import SPLITS, drawn_splits
from lightning_seq.spec import COUNTED, Batch, Bits
from lightning_seq.value_types import MAX_TOKENS, Size, Workers


class VectorDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`, cut to its longest sequence."""

    def __init__(self, split: Sequences, of_steps: bool) -> None:
        self.split, self.of_steps = split, of_steps

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        lengths = split.lengths[rows]
        steps = int(lengths.max())
        mask = np.arange(steps) < lengths[:, None]
        targets = split.targets[rows, :steps] if self.of_steps else split.targets[rows]
        counts = mask & real[:, None] if self.of_steps else real
        extra = {} if split.counted is None else {COUNTED: torch.from_numpy(split.counted[rows, :steps])}
        arrays = rows, split.inputs[rows, :steps], mask, targets, counts
        ids, inputs, keep, goals, counted = map(torch.from_numpy, arrays)
        return Batch(ids, inputs, keep, goals, counted, shard.count, extra)


class MemoryProblemData(DataModule[PreparedData[Sequences], VectorReader]):
    """Sequences of numbers made by a rule, which fixes which inputs a model has to remember, and for how long.

    source: a `BitProblem` (bits at each step) or `Adding` (a value of the whole sequence).
    cache:  not used: it takes less time to make the sequences from their seed than to read them.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    The `count` of a batch is the number of steps (of bits) or sequences (of values) in the global batch. Where not all
    bits of a step count, `extra` holds `counted` `[B, T, W]`.

    Raises UserError as the source does.
    """

    vocabulary = None

    def __init__(
        self,
        source: Problem,
        cache: Path | str | None = None,
        *,
        licence: str | None = None,
        batch_size: Size = 64,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        splits, report = source.load()
        self.prepared = PreparedData(
            spec=source.spec,
            splits=splits,
            fingerprints=_fingerprints(splits),
            name=source.describe(),
            report=report,
            drawn=drawn_splits(source),
        )
        self.reader = VectorReader(self.spec)

    @property
    def splits(self) -> Mapping[str, Sequences]:
        return self.prepared.splits

    @property
    def of_steps(self) -> bool:
        """Whether there is a target at each step, or one after the last step."""
        return isinstance(self.spec.targets, Bits)

    def example_ids(self, split: str) -> ExampleIds:
        """The positions of the sequences in a split, from 0: the source has no other names for them."""
        return ExampleIds(range(len(self.splits[split])))

    def headline(self) -> str:
        """The sizes, and the score of an answer that does not look at the inputs."""
        longest = max(int(split.lengths.max()) for split in self.splits.values())
        steps = f"{longest} steps" if longest > 1 else "one step"
        return f"{self.prepared.name}: {self.sizes()} sequences of at most {steps}; {self._blind_score()}"

    def _blind_score(self) -> str:
        train, test = self.splits["train"].targets, self.splits["test"]
        if not self.of_steps:
            error = float(((test.targets - train.mean(0)) ** 2).mean())
            return f"always saying the mean of training has a squared error of {error:.4f} in test"
        counts = test.counted if test.counted is not None else np.ones_like(test.targets, dtype=bool)
        ones = float(test.targets[counts].mean())
        return f"{max(ones, 1 - ones):.1%} of the bits of test are {int(ones >= 0.5)}"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        sequences = self.splits[split]
        targets = sequences.lengths if self.of_steps else None
        return VectorDataset(sequences, self.of_steps), self.bucket_sampler(split, sequences.lengths, targets)


def _fingerprints(splits: dict[str, Sequences]) -> dict[str, str]:
    content, membership = hashlib.sha256(), hashlib.sha256()
    for name in SPLITS:
        split = splits[name]
        for array in (array for array in vars(split).values() if isinstance(array, np.ndarray)):
            content.update(f"{name} {array.shape}\n".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        membership.update(f"{name} {len(split)}\n".encode())
        membership.update(hashlib.sha256(np.ascontiguousarray(split.inputs).tobytes()).digest())
    return {"data": content.hexdigest()[:16], "split": membership.hexdigest()[:16]}
