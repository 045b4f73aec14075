"""Rows of numbers, in order."""

from __future__ import annotations

import torch

from lightning_seq.tasks.gather import sorted_rows


def test_rows_by_their_first_columns() -> None:
    """Against Python's own order of tuples; of equal keys the order stays."""
    keys = torch.randint(0, 3, (60, 3), generator=torch.Generator().manual_seed(0)).double()
    rows = torch.cat([keys, torch.arange(60.0).double()[:, None]], 1)
    for count in (1, 2, 3):
        assert sorted_rows(rows, count).tolist() == sorted(rows.tolist(), key=lambda row, n=count: row[:n])  # type: ignore[misc]
    assert sorted_rows(rows).tolist() == sorted_rows(rows, 1).tolist()
    assert sorted_rows(rows[:0], 3).shape == (0, 4)
