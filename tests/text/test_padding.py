from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.text.padding import pad, pad_flat


@given(st.lists(st.lists(st.integers(1, 1000), max_size=9), min_size=1, max_size=6))
def test_rows_come_back_and_the_rest_is_padding(rows: list[list[int]]) -> None:
    ids, mask = pad([np.array(row, dtype=np.int32) for row in rows])
    assert ids.dtype == torch.int64
    assert mask.dtype == torch.bool
    assert ids.shape == mask.shape == (len(rows), max(1, *map(len, rows), 0))
    assert [line[keep].tolist() for line, keep in zip(ids, mask, strict=True)] == rows
    assert not ids[~mask].any()
    assert all((line.sort(descending=True).values == line).all() for line in mask.int())


def test_rows_of_a_flat_array_in_any_order() -> None:
    flat, offsets = np.arange(1, 7, dtype=np.int32), np.array([0, 1, 4, 6])
    ids, mask = pad_flat(flat, offsets, np.array([2, 0, 1, 2]))
    assert ids.tolist() == [[5, 6, 0], [1, 0, 0], [2, 3, 4], [5, 6, 0]]
    assert mask.sum(1).tolist() == [2, 1, 3, 2]
