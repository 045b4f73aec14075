"""Batches of sequences of vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.cache import PreparedData
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.reader import Reader
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.sources.vector_table import VectorSource
from lightning_seq.data.vectors.prepare import PreparedVectors, VectorSplit, prepare_vectors
from lightning_seq.data.vectors.reader import SequenceReader, padded
from lightning_seq.data.vectors.settings import (
    CENTRE,
    MISSING,
    NORMALISE,
    ONE_STEP,
    ORDERS,
    TEST_WINDOWS,
    VectorSettings,
    ordered,
    shuffle,
)
from lightning_seq.data.vectors.targets import counted
from lightning_seq.errors import UserError, near
from lightning_seq.spec import Batch, Features, Labels
from lightning_seq.value_types import MAX_TOKENS, OneOf, Range, Size, Workers

P = TypeVar("P", bound=PreparedData[VectorSplit])
R = TypeVar("R", bound=Reader)


class StepsDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`. seed: of `order=shuffled`."""

    def __init__(self, split: VectorSplit, order: str = "as_is", seed: tuple[int, ...] = (0,)) -> None:
        self.split, self.order, self.seed = split, order, seed

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        places = list(zip(rows.tolist(), split.starts[rows].tolist(), split.stops[rows].tolist(), strict=True))
        steps = [
            ordered(self.changed(split.flat[start:stop], row, shard.epoch), self.order, (*self.seed, row))
            for row, start, stop in places
        ]
        lengths = np.array([len(one) for one in steps])
        mask = np.arange(lengths.max()) < lengths[:, None]
        if not split.of_steps:
            targets, counts = split.targets[rows], real
        else:
            targets = np.zeros((*mask.shape, *split.targets.shape[1:]), dtype=split.targets.dtype)
            counts = mask & real[:, None]
            for place, (row, start, stop) in enumerate(places):
                own = split.targets[start:stop]
                if self.order == "shuffled":
                    own = own[shuffle(len(own), (*self.seed, row))]
                targets[place, : len(own)] = own
                counts[place, : len(own)] &= counted(own)
        targets = targets if targets.dtype == np.float32 else np.maximum(targets, 0).astype(np.int64)
        arrays = rows, padded(steps, lengths), mask, targets, counts
        ids, inputs, keep, goals, counting = map(torch.from_numpy, arrays)
        return Batch(ids, inputs, keep, goals, counting, shard.count)

    def changed(self, steps: np.ndarray, row: int, epoch: int) -> np.ndarray:
        """The steps of an example in this epoch, before they are ordered."""
        return steps


class LabelledSequences(DataModule[P, R]):
    """Sequences with a target for each, or for each of their steps. order: of the steps, see `VectorData`."""

    order: str

    @property
    def splits(self) -> dict[str, VectorSplit]:
        return dict(self.prepared.splits)

    @property
    def of_steps(self) -> bool:
        """Whether there is a target at each step, or one for an example."""
        return self.prepared.splits["train"].of_steps

    @property
    def train_labels(self) -> np.ndarray:
        """`[N]`, the class ids of the training examples or steps that count."""
        return self.labels("train")

    def labels(self, split: str) -> np.ndarray:
        """`[N]`, the class ids of the examples or steps of a split that count."""
        targets = self.prepared.splits[split].targets
        return targets[counted(targets)].astype(np.int64)

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the examples of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def check_order(self, order: str) -> None:
        """Raises UserError for an unknown order, and for one that leaves one step of a sequence with a target for
        each."""
        if order not in ORDERS:
            raise UserError(f"data.order is {order!r}: {near(order, ORDERS)}")
        if self.of_steps and order in ONE_STEP:
            raise UserError(
                f"data.order={order} leaves one step, and these targets are of each step: use data.order=shuffled"
            )


class VectorData(LabelledSequences[PreparedVectors, SequenceReader]):
    """Sequences of vectors with a class, a class per step, or values, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    normalise, missing, stride, max_steps, deltas, centre, coordinates, window, test_windows: see `VectorSettings`.
    order: of the steps of an example: `as_is`; `shuffled`, in one random order for each example and seed; or one step
           instead: the `mean` of all, the `middle` or the `last` one. The difference between the scores of `as_is` and
           of another order is the gain from order. Only `as_is` with `deltas`, which tell the order.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_vectors` do, and for an
    order that leaves one step of a sequence with a target for each.
    """

    vocabulary = None

    def __init__(
        self,
        source: VectorSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedVectors | None = None,
        licence: str | None = None,
        normalise: Annotated[str, OneOf(NORMALISE)] = "global",
        missing: Annotated[str, OneOf(MISSING)] = "error",
        stride: Size = 1,
        max_steps: Size | None = None,
        deltas: Annotated[int, Range(0, 2)] = 0,
        centre: Annotated[str, OneOf(CENTRE)] = "none",
        coordinates: Size = 2,
        window: Size | None = None,
        test_windows: Annotated[str, OneOf(TEST_WINDOWS)] = "all",
        order: Annotated[str, OneOf(ORDERS)] = "as_is",
        batch_size: Size = 32,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        self.prepared = made = prepared or prepare_vectors(
            *self.required(source, cache),
            VectorSettings(normalise, missing, stride, max_steps, deltas, centre, coordinates, window, test_windows),
        )
        self.check_order(order)
        if order != "as_is" and made.settings.deltas:
            raise UserError(
                f"data.order={order} takes the order away, and data.deltas={made.settings.deltas} puts differences to "
                "the step before into each step: use data.deltas=0"
            )
        self.order = order
        self.reader = SequenceReader(made.spec, made.settings, made.width, made.mean, made.scale, order)

    def headline(self) -> str:
        prepared = self.prepared
        lengths = np.concatenate([split.lengths for split in prepared.splits.values()])
        steps = f"{lengths.min():,} to {lengths.max():,}" if lengths.min() < lengths.max() else f"{lengths.max():,}"
        targets = prepared.spec.targets
        what = f", {targets.size} classes" if isinstance(targets, Labels) else ""
        windows = "windows" if prepared.settings.window else "sequences"
        width = prepared.spec.inputs_as(Features).width
        return f"{prepared.name}: {self.sizes()} {windows} of {steps} steps of {width} numbers{what}"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        examples = self.prepared.splits[split]
        dataset = StepsDataset(examples, self.order, (self.seed, SPLITS.index(split)))
        lengths = np.ones_like(examples.lengths) if self.order in ONE_STEP else examples.lengths
        return dataset, self.bucket_sampler(split, lengths, examples.counts)
