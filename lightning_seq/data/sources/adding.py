"""The adding problem: two numbers, far apart, are to be held and summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.problem import Sequences
from lightning_seq.data.sources.synthetic import check_whole, sizes
from lightning_seq.errors import UserError, near
from lightning_seq.spec import DataSpec, Features, Values
from lightning_seq.value_types import OneOf, Seed

VARIANTS = ("arjovsky2016", "hochreiter1997")
FIRST_PAIRS = 10
"""Hochreiter & Schmidhuber: the first mark is on one of so many pairs."""


@dataclass(frozen=True)
class Adding:
    """Pairs (value, mark), two of them marked; after the last the sum of the two marked values is to be said.

    arjovsky2016:   (Arjovsky et al. 2016, after Le et al. 2015.) Values are uniform in [0, 1]; marks are 1,
                    one in the first half and one in the second, and else 0; the target is the sum. Who always says 1
                    has a mean squared error of 1/6.
    hochreiter1997: (Hochreiter & Schmidhuber 1997, experiment 4.) Values are uniform in [-1, 1]; a sequence has T to
                    T + T/10 pairs; one of the first ten is marked, then another of the first T/2 - 1; the marks are 1,
                    that of the first and of the last pair is -1 and else it is 0; the target is 0.5 + (X1 + X2)/4,
                    where an X that fell on the first pair is 0. A sequence is right if the error is below 0.04, as
                    `task.tolerance` has it. Who always says 0.5 has a mean squared error of a little less than 1/24.

    length:     T, in pairs.
    examples:   sequences for training, a tenth as many for validation and for test.
    split_seed: of the sequences, a stream for each split.

    Raises UserError for values out of range.
    """

    length: int = 100
    variant: Annotated[str, OneOf(VARIANTS)] = "arjovsky2016"
    examples: int = 10000
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UserError(f"data.variant is {self.variant!r}: {near(str(self.variant), VARIANTS)}")
        check_whole(
            self,
            {
                "length": (2 if self.variant == "arjovsky2016" else 6, None),
                "examples": (10, None),
                "split_seed": (0, None),
            },
        )

    @property
    def spec(self) -> DataSpec:
        return DataSpec(Features(2, ("value", "mark")), Values(1, ("sum",)))

    def describe(self) -> str:
        return f"adding ({self.length})"

    def load(self) -> tuple[dict[str, Sequences], list[str]]:
        make = self._halves if self.variant == "arjovsky2016" else self._first_pairs
        found = {}
        for stream, (split, size) in enumerate(sizes(self.examples).items()):
            found[split] = make(np.random.default_rng(np.random.SeedSequence([self.split_seed, stream])), size)
        return found, []

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
