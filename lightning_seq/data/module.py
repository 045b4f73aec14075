"""The base of every DataModule: its settings, the samplers and loaders of its splits, its summary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Sized
from inspect import signature
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.bucket_sampler import BucketSampler
from lightning_seq.data.cache import PreparedData, check_limits
from lightning_seq.data.loader import TrainLoader, loader_options
from lightning_seq.data.planner import Planner
from lightning_seq.data.reader import Reader
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.printable import number_of
from lightning_seq.spec import Batch, DataSpec
from lightning_seq.value_types import MAX_TOKENS

P = TypeVar("P", bound=PreparedData[Sized])
R = TypeVar("R", bound=Reader)
S = TypeVar("S")


class DataModule(LightningDataModule, ABC, Generic[P, R]):
    """Batches of a train, a validation and a test split.

    batch_size:      of the global batch, over all ranks.
    eval_batch_size: for validation, test and prediction; None: the same.
    seed:            of the order of the batches.
    num_workers:     processes that make batches; 0: the run itself makes them.
    licence:         of the data, for people.
    max_tokens:      positions of a padded global batch; long samples are in smaller batches.

    A subclass sets `prepared` and `reader`, and gives the datasets and samplers of its splits in `batches`.
    """

    prepared: P
    reader: R

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int | None,
        seed: int,
        num_workers: int,
        licence: str | None,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        super().__init__()
        check_limits(batch_size=batch_size, eval_batch_size=eval_batch_size, max_tokens=max_tokens)
        if num_workers < 0:
            raise UserError(f"data.num_workers is {num_workers}, expected at least 0")
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers, self.licence, self.max_tokens = seed, num_workers, licence, max_tokens

    @abstractmethod
    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[object]]:
        """The dataset of a split, whose items are whole batches, and the sampler that plans them."""

    @abstractmethod
    def headline(self) -> str:
        """The name and the sizes of the data, in one line."""

    def required(self, source: S | None, cache: Path | str | None) -> tuple[S, Path | str]:
        """The source and the cache. Raises UserError where one of them is missing."""
        if source is None or cache is None:
            raise UserError(f"{type(self).__name__} needs `prepared`, or `source` and `cache`: give data=NAME")
        return source, cache

    @property
    def spec(self) -> DataSpec:
        return self.prepared.spec

    @property
    def fingerprints(self) -> dict[str, str]:
        return self.prepared.fingerprints

    @property
    def drawn(self) -> tuple[str, ...]:
        """The splits that the source's `split_seed` draws."""
        return self.prepared.drawn

    def train_sentences(self) -> Iterator[list[str]]:
        """The sentences of the train split that word vectors are trained on; none where inputs are not words."""
        return self.prepared.train_sentences()

    def summary(self) -> str:
        """The headline, and a line for each thing that the user may not expect."""
        return "\n".join([self.headline(), *(f"  {line}" for line in self.notes())])

    def notes(self) -> Sequence[str]:
        """Raises UserError for a sample that is longer than `max_tokens`."""
        samplers = {split: self.batches(split)[1] for split in self.prepared.splits}
        long = {split: one.long for split, one in samplers.items() if isinstance(one, BucketSampler) and one.long}
        return [
            *self.prepared.report,
            *(
                f"{split}: {number_of(count, 'long example')} in smaller batches, of at most {self.max_tokens:,} tokens"
                f" with their padding (data.max_tokens){self._cuts and f'; {self._cuts}'}"
                for split, count in long.items()
            ),
        ]

    def sizes(self) -> str:
        """How many examples each split has, for the headline."""
        return ", ".join(f"{name} {len(split):,}" for name, split in self.prepared.splits.items())

    def encode(self, texts: Sequence[str]) -> Batch:
        """New texts as one batch; see the `encode` of the reader."""
        return self.reader.encode(texts)

    def to_plain(self) -> dict[str, Plain]:
        """The reader as plain values, for a checkpoint."""
        return self.reader.to_plain()

    def train_dataloader(self) -> DataLoader[Batch]:
        return TrainLoader(*self.batches("train"), self.num_workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._eval_loader("validation")

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._eval_loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        return self.test_dataloader()

    def _eval_loader(self, split: str) -> DataLoader[Batch]:
        dataset, sampler = self.batches(split)
        return DataLoader(dataset, **loader_options(sampler, self.num_workers))

    def bucket_sampler(
        self, split: str, lengths: np.ndarray, targets: np.ndarray | None = None, sizes: np.ndarray | None = None
    ) -> BucketSampler:
        """The order of the batches of a split; only training is shuffled and accumulates gradients.

        Raises UserError for a sample that is longer than `max_tokens`.
        """
        longest = int((lengths if sizes is None else sizes).max(initial=0))
        if longest > self.max_tokens:
            raise UserError(
                f"{split}: the longest example has {longest:,} tokens, more than data.max_tokens={self.max_tokens}: "
                f"{self._cuts or 'cut it'}, or give data.max_tokens={longest}"
            )
        train, (rank, world) = split == "train", self.rank_and_world
        size, accumulate = (self.batch_size, self.accumulated) if train else (self.eval_batch_size, 1)
        return BucketSampler(
            lengths, size, self.seed, shuffle=train, rank=rank, world=world, accumulate=accumulate, targets=targets,
            max_tokens=self.max_tokens, sizes=sizes,
        )  # fmt: skip

    @property
    def _cuts(self) -> str:
        """The advice for long examples; empty if these data are never cut."""
        settings = signature(type(self)).parameters
        return next((f"data.{key}=N cuts it" for key in ("max_length", "max_steps") if key in settings), "")

    @property
    def rank_and_world(self) -> tuple[int, int]:
        """The number of this process and how many there are; 0 of 1 without a trainer."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    @property
    def accumulated(self) -> int:
        """The batches of one optimiser step of the trainer; 1 without a trainer."""
        return self.trainer.accumulate_grad_batches if self.trainer else 1
