"""Batches of synthetic problems over numbers: a LightningDataModule, and the reader of new sequences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.bucket_sampler import STAND_IN, BucketSampler, Share
from lightning_seq.data.example_ids import ExampleIds
from lightning_seq.data.loader import TargetSampler, TrainLoader, accumulated, loader_options
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.data.sources.adding import Adding
from lightning_seq.data.sources.bits import PROBLEMS, BitProblem
from lightning_seq.data.sources.problem import Problem, Sequences
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError, near
from lightning_seq.spec import COUNTED, Batch, Bits

SOURCES = (*PROBLEMS, "adding")


class Vectors(Dataset[Batch]):
    """The batches of a split: `vectors[share]`, cut to the longest sequence of each."""

    def __init__(self, split: Sequences, of_steps: bool) -> None:
        self.split, self.of_steps = split, of_steps

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, share: Share) -> Batch:
        split, rows = self.split, np.array(share.indices, dtype=np.int64)
        real = rows != STAND_IN
        rows[~real] = 0
        lengths = split.lengths[rows]
        steps = int(lengths.max())
        mask = np.arange(steps) < lengths[:, None]
        return Batch(
            ids=torch.from_numpy(rows),
            inputs=torch.from_numpy(split.inputs[rows, :steps]),
            mask=torch.from_numpy(mask),
            targets=torch.from_numpy(split.targets[rows, :steps] if self.of_steps else split.targets[rows]),
            target_mask=torch.from_numpy(mask & real[:, None] if self.of_steps else real),
            count=share.count,
            extra={} if split.counted is None else {COUNTED: torch.from_numpy(split.counted[rows, :steps])},
        )


class MemoryProblemData(LightningDataModule):
    """Sequences of numbers made by a rule, of which one knows what has to be remembered, and for how long.

    source:     `bits_1 bits_2 bits_3 bits_4 bits_parity` (`BitProblem`: bits at each step) or `adding` (`Adding`: a
                value of the whole sequence).
    length, variable, variant, examples, split_seed: see there.
    cache:      nothing is kept in it: the sequences are made anew, from their seed, in less time than reading takes.
    licence:    of the data, for people.

    batch_size:      of the global batch, over all ranks.
    eval_batch_size: for validation, test and prediction; None: the same.
    seed:            of the order of batches.

    A batch's `count` is how many steps (of bits) or sequences (of values) the global batch has. Where not all bits of a
    step count, `extra` holds `counted` `[B, T, W]`.

    Raises UserError as the sources do.
    """

    vocabulary = None

    def __init__(
        self,
        source: str,
        cache: Path | str | None = None,
        *,
        length: int = 10,
        variable: bool = False,
        variant: str = "arjovsky2016",
        examples: int = 4000,
        split_seed: int = 1,
        licence: str | None = None,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        seed: int = 1,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value is not None and value < 1:
                raise UserError(f"data.{name} is {value}, expected at least 1")
        if num_workers < 0:
            raise UserError(f"data.num_workers is {num_workers}, expected at least 0")
        if source not in SOURCES:
            raise UserError(f"data.source is {source!r}; {near(str(source), SOURCES)}")
        self.problem: Problem = (
            Adding(length, variant, examples, split_seed)
            if source == "adding"
            else BitProblem(source, length, variable, examples, split_seed)
        )
        self.spec = self.problem.spec
        self.splits, self.report = self.problem.load()
        self.fingerprints = _fingerprints(self.splits)
        self.licence = licence
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers = seed, num_workers
        self.reader = VectorReader(self.spec)

    @property
    def of_steps(self) -> bool:
        """Whether targets stand at each step, or after the last."""
        return isinstance(self.spec.targets, Bits)

    def example_ids(self, split: str) -> ExampleIds:
        """The places of the sequences in a split, from 0: nothing else names them."""
        return ExampleIds(range(len(self.splits[split])))

    def train_sentences(self) -> Iterator[list[str]]:
        """None: numbers are no words."""
        return iter(())

    def summary(self) -> str:
        """What there is, what an answer scores that never looks, and a line for each thing that may surprise."""
        numbers = ", ".join(f"{name} {len(split):,}" for name, split in self.splits.items())
        longest = max(int(split.lengths.max()) for split in self.splits.values())
        steps = f"{longest} steps" if longest > 1 else "one step"
        head = f"{self.problem.describe()}: {numbers} sequences of at most {steps}; {self._blind()}"
        return "\n".join([head, *(f"  {line}" for line in self.report)])

    def _blind(self) -> str:
        train, test = self.splits["train"].targets, self.splits["test"]
        if not self.of_steps:
            error = float(((test.targets - train.mean(0)) ** 2).mean())
            return f"always saying the mean of training has a squared error of {error:.4f} in test"
        counts = test.counted if test.counted is not None else np.ones_like(test.targets, dtype=bool)
        ones = float(test.targets[counts].mean())
        return f"{max(ones, 1 - ones):.1%} of the bits of test are {int(ones >= 0.5)}"

    def encode(self, texts: Sequence[str]) -> Batch:
        """New sequences as one batch; see `VectorReader.encode`."""
        return self.reader.encode(texts)

    def to_plain(self) -> dict[str, Any]:
        """The spec as plain values: `VectorReader.from_plain` reads them."""
        return self.reader.to_plain()

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader("train", self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader("validation", self.eval_batch_size, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader("test", self.eval_batch_size, shuffle=False)

    def predict_dataloader(self) -> DataLoader[Batch]:
        return self.test_dataloader()

    def _loader(self, name: str, batch_size: int, shuffle: bool) -> DataLoader[Batch]:
        split = self.splits[name]
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        options: dict[str, Any] = {"seed": self.seed, "shuffle": shuffle, "rank": rank, "world": world}
        options["accumulate"] = accumulated(self) if shuffle else 1
        sampler = (
            TargetSampler(split.lengths, split.lengths, batch_size, **options)
            if self.of_steps
            else BucketSampler(split.lengths, batch_size, **options)
        )
        if shuffle:
            return TrainLoader(Vectors(split, self.of_steps), sampler, self.num_workers)
        return DataLoader(Vectors(split, self.of_steps), **loader_options(sampler, self.num_workers))


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
