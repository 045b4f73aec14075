"""Batches of synthetic problems over numbers: a LightningDataModule, and the reader of new sequences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.batching import STAND_IN, BucketSampler, Share
from lightning_seq.data.loader import TargetSampler, TrainLoader, accumulated, loader_options
from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.sources.adding import Adding
from lightning_seq.data.sources.bits import PROBLEMS, BitProblem
from lightning_seq.data.sources.problem import Problem, Sequences
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError, near
from lightning_seq.spec import Batch, Bits, DataSpec, Features, Values

KIND = "memory_problem"
SOURCES = (*PROBLEMS, "adding")
COUNTED = "counted"
"""In a batch's `extra`: which bits of a step count, where not all do."""


@dataclass(frozen=True)
class VectorReader:
    """From new sequences of vectors to batches: all that a checkpoint needs of the data."""

    spec: DataSpec

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of sequences in JSON, each a list of steps: a list of numbers, or one number where inputs are one
        number wide. `targets` are 0 and do not count.

        Raises UserError, with the text's number (the first text's is `first`), for anything else.
        """
        if not texts:
            raise UserError("there is no sequence: expected at least one")
        found = [self._steps(text, number) for number, text in enumerate(texts, first)]
        lengths = np.array([len(steps) for steps in found])
        inputs = np.zeros((len(found), lengths.max(), self._width), dtype=np.float32)
        for row, steps in enumerate(found):
            inputs[row, : len(steps)] = steps
        mask = torch.from_numpy(np.arange(inputs.shape[1]) < lengths[:, None])
        of_steps = isinstance(self.spec.targets, Bits)
        assert isinstance(self.spec.targets, Bits | Values)
        counts = torch.zeros_like(mask) if of_steps else torch.zeros(len(found), dtype=torch.bool)
        return Batch(
            ids=torch.arange(len(found)),
            inputs=torch.from_numpy(inputs),
            mask=mask,
            targets=torch.zeros(*counts.shape, self.spec.targets.width),
            target_mask=counts,
            count=0,
        )

    def note(self, text: str) -> Note | None:
        """Why a text is no sequence, or None."""
        return refusal(lambda: self._steps(text, None)) if text.strip() else EMPTY

    @property
    def _width(self) -> int:
        assert isinstance(self.spec.inputs, Features)
        return self.spec.inputs.width

    def _steps(self, text: str, number: int | None) -> np.ndarray:
        place = "" if number is None else f"text {number}: "
        example = json.dumps([[0] * self._width, [1] * self._width])
        try:
            value = json.loads(text)
            steps = np.array(value, dtype=np.float32)
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise UserError(f"{place}{_short(text)} came, expected numbers in JSON, such as {example}") from None
        if steps.ndim == 1 and self._width == 1:
            steps = steps[:, None]
        if steps.ndim != 2 or steps.shape[1] != self._width or not len(steps) or not np.isfinite(steps).all():
            raise UserError(
                f"{place}{_short(text)} came, expected a list of steps of {self._width} numbers each, such as {example}"
            )
        return steps

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {"kind": KIND, "spec": self.spec.to_plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> VectorReader:
        """The inverse of `to_plain`."""
        return cls(DataSpec.from_plain(plain["spec"]))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]} …"


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
