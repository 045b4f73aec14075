"""Batches of synthetic problems over numbers: a LightningDataModule, and the reader of new sequences."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds
from lightning_seq.data.loader import Planner
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.data.module import DataModule
from lightning_seq.data.sources.problem import Problem, Sequences
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.spec import COUNTED, Batch, Bits, DataSpec
from lightning_seq.value_types import Size, Workers


class VectorDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`, cut to the longest sequence of each."""

    def __init__(self, split: Sequences, of_steps: bool) -> None:
        self.split, self.of_steps = split, of_steps

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        lengths = split.lengths[rows]
        steps = int(lengths.max())
        mask = np.arange(steps) < lengths[:, None]
        return Batch(
            ids=torch.from_numpy(rows),
            inputs=torch.from_numpy(split.inputs[rows, :steps]),
            mask=torch.from_numpy(mask),
            targets=torch.from_numpy(split.targets[rows, :steps] if self.of_steps else split.targets[rows]),
            target_mask=torch.from_numpy(mask & real[:, None] if self.of_steps else real),
            count=shard.count,
            extra={} if split.counted is None else {COUNTED: torch.from_numpy(split.counted[rows, :steps])},
        )


@dataclass(frozen=True)
class PreparedSequences:
    """The sequences of a problem by split; see `PreparedData`."""

    spec: DataSpec
    splits: dict[str, Sequences]
    fingerprints: dict[str, str]
    report: list[str]
    name: str


class MemoryProblemData(DataModule[PreparedSequences, VectorReader]):
    """Sequences of numbers made by a rule, of which one knows what has to be remembered, and for how long.

    source: a `BitProblem` (bits at each step) or `Adding` (a value of the whole sequence).
    cache:  not used: making the sequences from their seed takes less time than reading them.

    batch_size, eval_batch_size, seed, num_workers, licence: see `DataModule`.

    A batch's `count` is how many steps (of bits) or sequences (of values) the global batch has. Where not all bits of a
    step count, `extra` holds `counted` `[B, T, W]`.

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
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence)
        splits, report = source.load()
        self.prepared = PreparedSequences(source.spec, splits, _fingerprints(splits), report, source.describe())
        self.reader = VectorReader(self.spec)

    @property
    def splits(self) -> dict[str, Sequences]:
        return self.prepared.splits

    @property
    def of_steps(self) -> bool:
        """Whether there is a target at each step, or one after the last step."""
        return isinstance(self.spec.targets, Bits)

    def example_ids(self, split: str) -> ExampleIds:
        """The places of the sequences in a split, from 0: nothing else names them."""
        return ExampleIds(range(len(self.splits[split])))

    def headline(self) -> str:
        """The sizes, and the score of an answer that does not look at the inputs."""
        numbers = ", ".join(f"{name} {len(split):,}" for name, split in self.splits.items())
        longest = max(int(split.lengths.max()) for split in self.splits.values())
        steps = f"{longest} steps" if longest > 1 else "one step"
        return f"{self.prepared.name}: {numbers} sequences of at most {steps}; {self._blind()}"

    def _blind(self) -> str:
        train, test = self.splits["train"].targets, self.splits["test"]
        if not self.of_steps:
            error = float(((test.targets - train.mean(0)) ** 2).mean())
            return f"always saying the mean of training has a squared error of {error:.4f} in test"
        counts = test.counted if test.counted is not None else np.ones_like(test.targets, dtype=bool)
        ones = float(test.targets[counts].mean())
        return f"{max(ones, 1 - ones):.1%} of the bits of test are {int(ones >= 0.5)}"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner]:
        sequences = self.splits[split]
        targets = sequences.lengths if self.of_steps else None
        return VectorDataset(sequences, self.of_steps), self.bucket_sampler(split, sequences.lengths, targets)


def _fingerprints(splits: dict[str, Sequences]) -> dict[str, str]:
    """`data` (the numbers) and `split` (which sequence is where)."""
    content, membership = hashlib.sha256(), hashlib.sha256()
    for name in SPLITS:
        split = splits[name]
        arrays = [array for array in vars(split).values() if isinstance(array, np.ndarray)]
        for array in arrays:
            content.update(f"{name} {array.shape}\n".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        membership.update(f"{name} {len(split)}\n".encode())
        membership.update(hashlib.sha256(np.ascontiguousarray(split.inputs).tobytes()).digest())
    return {
        "data": content.hexdigest()[:16],
        "split": membership.hexdigest()[:16],
    }
