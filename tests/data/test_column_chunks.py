"""Windows of columns as batches: what ranks have of them, and how fast they are made."""

from __future__ import annotations

import numpy as np
import torch

from lightning_seq.data.columns_sampler import Chunk, ColumnsSampler
from lightning_seq.data.language_modelling.column_chunks import ColumnChunkDataset

from .counting import calls


def test_two_ranks_together_are_one() -> None:
    flat = np.arange(4, 243, dtype=np.int32)  # of six columns of 40 one is shorter
    one, *ranks = (ColumnChunkDataset(flat, 6, 3, rank, world) for rank, world in ((0, 1), (0, 2), (1, 2)))
    for chunk in ColumnsSampler(40, 7, 9):
        whole = one[chunk]
        for rank, chunks in enumerate(ranks):
            share = chunks[chunk]
            assert share.count == whole.count
            assert share.extra == whole.extra
            assert share.extra["new"] == chunk.stop - chunk.first
            for name in ("ids", "inputs", "mask", "targets", "target_mask"):
                assert torch.equal(getattr(share, name), getattr(whole, name)[rank::2])


def test_a_rank_without_a_column_has_one_that_does_not_count() -> None:
    flat = np.arange(4, 12, dtype=np.int32)
    chunk = Chunk(0, 0, 4, 0, 4, (0, 4))
    shares = [ColumnChunkDataset(flat, 2, 3, rank, 3)[chunk] for rank in range(3)]
    assert [share.inputs.shape for share in shares] == [(1, 4)] * 3
    assert [share.count for share in shares] == [8] * 3
    assert [bool(share.target_mask.any()) for share in shares] == [True, True, False]
    assert shares[2].mask.all()


def test_a_batch_is_made_of_arrays_not_column_by_column() -> None:
    text, chunk = np.ones(50_000, np.int32), Chunk(1, 35, 70, 1, 35, (35, 70))
    assert 5 < calls(ColumnChunkDataset(text, 4, 3), chunk) == calls(ColumnChunkDataset(text, 64, 3), chunk)
