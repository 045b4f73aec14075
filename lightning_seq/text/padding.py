"""Rows of unequal length as one rectangle, with the mask of their real tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lightning_seq.text.vocabulary import PAD


def pad(rows: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Ids `[B, T]` int64, padded with `<pad>`, and the mask `[B, T]` of real tokens. T is at least 1."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    flat = np.concatenate(rows) if len(rows) else np.zeros(0, dtype=np.int64)
    return pad_flat(flat, offsets, np.arange(len(rows)))


def pad_flat(flat: np.ndarray, offsets: np.ndarray, indices: np.ndarray) -> tuple[Tensor, Tensor]:
    """As `pad`, for the rows `flat[offsets[i]:offsets[i + 1]]` with i in `indices`."""
    starts = offsets[indices]
    lengths = offsets[indices + 1] - starts
    steps = np.arange(max(int(lengths.max(initial=0)), 1))
    mask = steps < lengths[:, None]
    ids = np.full(mask.shape, PAD, dtype=np.int64)
    if len(flat):
        places = starts[:, None] + steps
        np.minimum(places, len(flat) - 1, out=places)
        np.copyto(ids, flat[places], where=mask)
    return torch.from_numpy(ids), torch.from_numpy(mask)
