"""Batches of a text in columns: the windows that `ColumnsSampler` plans."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.columns_sampler import Chunk, cut_columns
from lightning_seq.spec import Batch
from lightning_seq.text.vocabulary import PAD


class ColumnChunkDataset(Dataset[Batch]):
    """The batches of a text in columns, `dataset[chunk]`: a window of each of this rank's columns.

    A rank without a column computes the first column, without counting its targets.
    """

    def __init__(self, flat: np.ndarray, columns: int, before: int | None, rank: int = 0, world: int = 1) -> None:
        self.real = rank < columns
        self.columns = cut_columns(flat, columns, before, rank if self.real else 0, world)
        self.lengths = torch.from_numpy(self.columns.lengths)
        self.starts = torch.from_numpy(self.columns.starts)

    def __getitem__(self, chunk: Chunk) -> Batch:
        columns, size = self.columns, chunk.stop - chunk.start
        window = torch.from_numpy(columns.window(chunk.start, chunk.stop + 1)).long()
        inputs, targets = window[:, :-1], window[:, 1:]
        if chunk.stop == columns.length:
            mask = self.lengths[:, None] > torch.arange(chunk.start, chunk.stop)
            inputs = inputs.masked_fill(~mask, PAD)
        else:
            mask = torch.ones(len(window), size, dtype=torch.bool)
        counts = mask
        if not self.real or chunk.first > chunk.start:
            counts = mask.clone()
            counts[:, : chunk.first - chunk.start if self.real else size] = False
        extra = {
            "advance": torch.tensor(chunk.advance),
            "new": torch.tensor(chunk.stop - chunk.first),
            "fresh": torch.tensor(chunk.number == 0),
        }
        return Batch(self.starts + chunk.start, inputs, mask, targets, counts, columns.count(*chunk.step), extra)
