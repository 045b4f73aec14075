"""Batches of sequences of sets, such as polyphonic music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.cache import PreparedData
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sequences_of_sets.prepare import RollSplit, prepare_rolls
from lightning_seq.data.sequences_of_sets.reader import SetReader, shifted
from lightning_seq.data.sources.piano_rolls import NOTES, PiecesSource
from lightning_seq.spec import Batch
from lightning_seq.value_types import MAX_TOKENS, Size, Workers


class RollDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`. `inputs` and `targets` are float32 `[B, T, 88]`."""

    def __init__(self, split: RollSplit) -> None:
        self.split = split

    def __getitem__(self, shard: BatchShard) -> Batch:
        rows, real = shard.rows()
        starts, lengths = self.split.offsets[rows].tolist(), self.split.lengths[rows]
        mask = np.arange(lengths.max()) < lengths[:, None]
        targets = np.zeros((*mask.shape, self.split.flat.shape[1]), dtype=np.float32)
        for row, (start, length) in enumerate(zip(starts, lengths.tolist(), strict=True)):
            targets[row, :length] = self.split.flat[start : start + length]
        inputs = shifted(targets)
        inputs[torch.from_numpy(~mask)] = 0
        ids, keep, counts = map(torch.from_numpy, (rows, mask, mask & real[:, None]))
        return Batch(ids, inputs, keep, torch.from_numpy(targets), counts, shard.count)


class SequencesOfSetsData(DataModule[PreparedData[RollSplit], SetReader]):
    """Pieces of polyphonic music, prepared and batched for predicting the notes of each step from those before.

    A piece of T steps is T targets of 88 bits; its inputs are a step of silence and its steps without the last, so that
    the first step is predicted too. The published loss (Boulanger-Lewandowski et al. 2012, then Chung et al. 2014) is
    a sum over the 88 notes and a mean over all steps of all pieces of a split: so counted, the notes' own frequencies
    (`Note 1-gram`) score 11.06 nats on the test split of JSB Chorales, as in Table 1 of the first of these papers.

    Give `prepared`, or a `source` and a `cache`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`; a batch is of pieces.

    The `count` of a batch is the number of steps in the global batch.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_rolls` do.
    """

    vocabulary = None

    def __init__(
        self,
        source: PiecesSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedData[RollSplit] | None = None,
        licence: str | None = None,
        batch_size: Size = 8,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        self.prepared = prepared or prepare_rolls(*self.required(source, cache))
        self.reader = SetReader(self.spec)

    def headline(self) -> str:
        sizes = ", ".join(
            f"{name} {len(split):,} ({len(split.flat):,})" for name, split in self.prepared.splits.items()
        )
        sounding = float(self.prepared.splits["train"].flat.sum(1, dtype=np.int64).mean())
        return f"{self.prepared.name}: {sizes} pieces (steps), {sounding:.1f} of {len(NOTES)} notes sound at a step"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        pieces = self.prepared.splits[split]
        return RollDataset(pieces), self.bucket_sampler(split, pieces.lengths, pieces.lengths)
