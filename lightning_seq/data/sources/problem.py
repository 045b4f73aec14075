"""Synthetic problems over numbers: sequences of vectors, made by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightning_seq.spec import DataSpec


@dataclass(frozen=True)
class Sequences:
    """The sequences of one split.

    inputs:  `[N, T, D]` float32, zero after the end of a sequence.
    lengths: `[N]` int64, of the sequences in steps, at least 1.
    targets: float32, `[N, T, W]` for bits at each step, `[N, W]` for values of the whole sequence.
    counted: `[N, T, W]` bool, whether a bit counts; None: all bits of a sequence count.
    """

    inputs: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    counted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def target_mask(self) -> np.ndarray:
        """`[N, T, W]` bool, whether a bit is of its sequence and counts."""
        steps = np.arange(self.targets.shape[1]) < self.lengths[:, None]
        return np.broadcast_to(steps[..., None], self.targets.shape) & (True if self.counted is None else self.counted)


class Problem(Protocol):
    """A rule that makes sequences. Its arguments are plain; it makes nothing before `load`."""

    @property
    def spec(self) -> DataSpec:
        """Features to Bits, or to Values."""
        ...

    def describe(self) -> str:
        """A name for people, such as `adding (100)`."""
        ...

    def load(self) -> tuple[dict[str, Sequences], list[str]]:
        """The sequences by split, and a line for each thing that the user may not expect."""
        ...
