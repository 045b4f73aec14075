"""Gather rows of numbers from all ranks, and sort them."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor, distributed


def gather_rows(rows: Shaped[Tensor, "N columns"], world: int) -> Shaped[Tensor, "M columns"]:
    """The rows of all ranks, one rank after the other, on every rank."""
    if world == 1:
        return rows
    sizes = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(world)]
    distributed.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
    longest = int(max(size.item() for size in sizes))
    padded = rows.new_zeros(longest, rows.shape[1])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(parts, padded)
    return torch.cat([part[: int(size.item())] for part, size in zip(parts, sizes, strict=True)])


def sorted_rows(rows: Shaped[Tensor, "N columns"], keys: int = 1) -> Shaped[Tensor, "N columns"]:
    """The rows by their first `keys` columns, the first of them before all; equal ones stay as they came."""
    for column in reversed(range(keys)):
        rows = rows[rows[:, column].argsort(stable=True)]
    return rows
