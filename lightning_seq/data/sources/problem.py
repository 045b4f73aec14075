"""What every synthetic problem over numbers gives: sequences of vectors, made by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.spec import DataSpec

SHARES = {"train": 1.0, "validation": 0.1, "test": 0.1}
"""Sequences of each split, for one of training."""


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

    def identity(self) -> Plain:
        """Everything that decides what `load` returns."""
        ...

    def load(self) -> tuple[dict[str, Sequences], list[str]]:
        """The sequences by split, and a line each on what the user may not expect."""
        ...


def check_whole(limits: dict[str, int], given: Any) -> None:
    """Raises UserError unless each of these attributes of `given` is a whole number, at least so large."""
    for name, least in limits.items():
        value = getattr(given, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UserError(f"data.{name} is {value}, expected a whole number of at least {least}")


def sizes(examples: int) -> dict[str, int]:
    """Sequences of each split."""
    return {split: round(SHARES[split] * examples) for split in SPLITS}
