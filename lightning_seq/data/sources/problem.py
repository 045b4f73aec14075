"""What every synthetic problem over numbers gives: sequences of vectors, made by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightning_seq.spec import DataSpec


@dataclass(frozen=True)
class Sequences:
    """The sequences of one split.

    inputs:  `[N, T, D]` float32, zero after the end of a sequence.
    lengths: `[N]` int64, its steps, at least 1.
    targets: float32, `[N, T, W]` for bits at each step, `[N, W]` for values of the whole sequence.
    counted: `[N, T, W]` bool, which bits count; None: all of a sequence's steps.
    """

    inputs: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    counted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)


class Problem(Protocol):
    """A rule and how many sequences are made by it. Frozen, plain arguments; nothing is made before `load`."""

    @property
    def spec(self) -> DataSpec:
        """Features to Bits, or to Values."""
        ...

    def describe(self) -> str:
        """A name for people, such as `adding (100)`."""
        ...

    def load(self) -> tuple[dict[str, Sequences], list[str]]:
        """The sequences by split, and a line each on what the user may not expect."""
        ...
