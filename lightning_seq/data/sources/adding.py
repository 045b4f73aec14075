"""The adding problem: a network holds two numbers that are far apart, and sums them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.problem import Sequences
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.errors import UserError
from lightning_seq.spec import DataSpec, Features, Values
from lightning_seq.value_types import OneOf, Range

VARIANTS = ("arjovsky2016", "hochreiter1997")
FIRST_PAIRS = 10
"""Hochreiter & Schmidhuber: the first mark is on one of the first ten pairs."""


@dataclass(frozen=True)
class Adding(Synthetic):
    """Pairs (value, mark), two of them marked; the target, after the last pair, is the sum of the two marked values.

    arjovsky2016:   (Arjovsky et al. 2016, after Le et al. 2015.) Values are uniform in [0, 1]; one mark in each half is
                    1, all others are 0. The constant answer 1 has a mean squared error of 1/6.
    hochreiter1997: (Hochreiter & Schmidhuber 1997, experiment 4.) Values are uniform in [-1, 1]; a sequence has T to
                    T + T/10 pairs; one mark of the first ten is 1, then another of the first T/2 - 1; those of the
                    first and of the last pair are -1, all others 0; the target is 0.5 + (X1 + X2)/4, where the X of the
                    first pair counts as 0. An error below 0.04 is right (`task.tolerance`). The constant answer 0.5 has
                    a mean squared error of a little less than 1/24.

    length: T, in pairs.
    """

    length: Annotated[int, Range(2)] = 100
    variant: Annotated[str, OneOf(VARIANTS)] = "arjovsky2016"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant == "hochreiter1997" and self.length < 6:
            raise UserError(f"data.length is {self.length}, expected a whole number of at least 6")

    @property
    def spec(self) -> DataSpec:
        return DataSpec(Features(2, ("value", "mark")), Values(1, ("sum",)))

    def describe(self) -> str:
        return f"adding ({self.length})"

    def load(self) -> tuple[dict[str, Sequences], list[str]]:
        make = self._halves if self.variant == "arjovsky2016" else self._first_pairs
        return {
            split: make(self.generator(stream), size) for stream, (split, size) in enumerate(self.sizes.items())
        }, []

    def _halves(self, generator: np.random.Generator, size: int) -> Sequences:
        rows, half = np.arange(size), self.length // 2
        inputs = np.zeros((size, self.length, 2), dtype=np.float32)
        inputs[:, :, 0] = generator.random((size, self.length))
        total = np.zeros(size, dtype=np.float32)
        for start, stop in ((0, half), (half, self.length)):
            places = generator.integers(start, stop, size)
            inputs[rows, places, 1] = 1
            total += inputs[rows, places, 0]
        return Sequences(inputs, np.full(size, self.length, dtype=np.int64), total[:, None])

    def _first_pairs(self, generator: np.random.Generator, size: int) -> Sequences:
        rows, places = np.arange(size), self.length // 2 - 1
        lengths = generator.integers(self.length, self.length + self.length // 10 + 1, size)
        inputs = np.zeros((size, int(lengths.max()), 2), dtype=np.float32)
        inputs[:, :, 0] = generator.uniform(-1, 1, inputs.shape[:2])
        inputs[np.arange(inputs.shape[1]) >= lengths[:, None]] = 0
        first = generator.integers(0, FIRST_PAIRS if self.length > FIRST_PAIRS else self.length - 1, size)
        second = generator.integers(0, places - (first < places))
        second += second >= first  # one of the others
        total = np.zeros(size, dtype=np.float32)
        for marked in (first, second):
            inputs[rows, marked, 1] = 1
            total += np.where(marked > 0, inputs[rows, marked, 0], 0)
        inputs[:, 0, 1] = inputs[rows, lengths - 1, 1] = -1
        return Sequences(inputs, lengths, 0.5 + total[:, None] / 4)
