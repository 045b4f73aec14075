"""Windows of columns as batches: what ranks have of them, and how fast they are made."""

from __future__ import annotations

import time

import numpy as np
import torch

from lightning_seq.data.column_chunks import ColumnChunks
from lightning_seq.data.columns_sampler import Chunk, ColumnsSampler


def test_two_ranks_together_are_one() -> None:
    flat = np.arange(4, 243, dtype=np.int32)  # of six columns of 40 one is shorter
    one, *ranks = (ColumnChunks(flat, 6, 3, rank, world) for rank, world in ((0, 1), (0, 2), (1, 2)))
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
    shares = [ColumnChunks(flat, 2, 3, rank, 3)[chunk] for rank in range(3)]
    assert [share.inputs.shape for share in shares] == [(1, 4)] * 3
    assert [share.count for share in shares] == [8] * 3
    assert [bool(share.target_mask.any()) for share in shares] == [True, True, False]
    assert shares[2].mask.all()


def test_a_batch_is_made_in_a_tenth_of_a_millisecond() -> None:
    chunks = ColumnChunks(np.ones(500_000, np.int32), 64, 3)
    times = []
    for number in range(200):
        start = time.perf_counter()
        chunks[Chunk(number * 35, number * 35, number * 35 + 35, number, 35, (number * 35, number * 35 + 35))]
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-4
