"""The lecture's bit problems: a network answers a string of bits with another, and has to remember some."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.problem import Sequences
from lightning_seq.data.sources.synthetic import Examples, Synthetic
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, DataSpec, Features
from lightning_seq.value_types import OneOf, Size

PROBLEMS = ("bits_1", "bits_2", "bits_3", "bits_4", "bits_parity")
AT_ONCE = ("bits_1", "bits_2")
"""Problems that have all their bits in one step."""
PADDING = -1.0
"""The input for a bit that is missing."""

_ENUMERABLE = 1 << 20


@dataclass(frozen=True)
class BitProblem(Synthetic):
    """Strings of bits drawn at random, and the bits that a rule makes of them.

    bits_1:      one bit, in one step: its inverse. One to one, nothing to remember.
    bits_2:      `length` bits in one step: the inverse of each. With `variable`, strings of 1 to `length` bits (every
                 string is as likely as any other, so that half of them are whole); missing bits are -1, which the
                 network sees, and do not count.
    bits_3:      `length` bits, one a step: the inverse of each. Many to many, still nothing to remember.
    bits_4:      as bits_3, but a bit is inverted only if it equals the answer before it, o_t = 1 - x_t if x_t = o_{t-1}
                 else x_t, with o_{-1} = 0. So o_t = 1 - o_{t-1} in both cases: the answer to any string is 1010…, and
                 the network has to remember only whether a step is even.
    bits_parity: o_t = x_0 ⊕ … ⊕ x_t: whether the number of ones so far is odd. Every bit matters, one bit of memory is
                 enough, and a model that sees only the last k bits is right half of the time from step k + 1 on.

    length:   bits of a string; bits_1 has one.
    variable: for bits_2 alone.
    examples: strings of an epoch of training.

    No string comes twice, in one split or in two. Where there are too few of them (1,024 of ten bits) the splits share
    all of them out, and an epoch of training repeats its own. The two strings of length 1 are in every split.
    """

    problem: Annotated[str, OneOf(PROBLEMS)]
    length: Size = 10
    variable: bool = False
    examples: Examples = field(default=4000, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variable and self.problem != "bits_2":
            raise UserError(
                f"data.variable is for bits_2, which has its bits in one step: leave it with {self.problem}"
            )
        if self.problem == "bits_1" and self.length != 1:
            raise UserError(f"data.length is {self.length}, and bits_1 has one bit: use bits_2 or bits_3 for more")

    @property
    def spec(self) -> DataSpec:
        width = self.length if self.problem in AT_ONCE else 1
        return DataSpec(Features(width), Bits(width, shifted=False))

    def describe(self) -> str:
        return self.problem if self.problem == "bits_1" else f"{self.problem} ({self.length})"

    def load(self) -> tuple[dict[str, Sequences], list[str]]:
        strings, notes = self._strings()
        return {split: self._sequences(strings[split]) for split in SPLITS}, notes

    def _strings(self) -> tuple[dict[str, list[np.ndarray]], list[str]]:
        """Strings by split, and a note where they are too few."""
        first, sizes = 1 << (1 if self.variable else self.length), self.sizes
        pool, total = (2 << self.length) - first, sum(sizes.values())
        drawn = [_string(number + first) for number in _different(self.generator(), pool, min(pool, total))]
        if len(drawn) == total:
            ends = np.cumsum([*sizes.values()]).tolist()
            return {split: drawn[end - sizes[split] : end] for split, end in zip(SPLITS, ends, strict=True)}, []
        if pool < len(SPLITS):
            shared = dict.fromkeys(SPLITS, drawn)
            note = f"there are {pool} different strings: they are in every split"
        else:
            tenth = max(1, round(pool * sizes["test"] / total))
            shared = {"train": drawn[2 * tenth :], "validation": drawn[:tenth], "test": drawn[tenth : 2 * tenth]}
            note = f"there are {pool:,} different strings: each is in one split"
        own = shared["train"]
        trained = [own[number % len(own)] for number in range(self.examples)]
        return {**shared, "train": trained}, [f"{note}; an epoch repeats the {len(own):,} of training"]

    def _sequences(self, strings: list[np.ndarray]) -> Sequences:
        if self.problem not in AT_ONCE:
            x = np.stack(strings)
            return Sequences(
                x[:, :, None].astype(np.float32),
                np.full(len(x), self.length, dtype=np.int64),
                answers(self.problem, x)[:, :, None].astype(np.float32),
            )
        inputs = np.full((len(strings), 1, self.length), PADDING, dtype=np.float32)
        for row, string in enumerate(strings):
            inputs[row, 0, : len(string)] = string
        counted = inputs != PADDING
        return Sequences(
            inputs,
            np.ones(len(strings), dtype=np.int64),
            np.where(counted, 1 - inputs, 0).astype(np.float32),
            counted if self.variable else None,
        )


def answers(problem: str, x: np.ndarray) -> np.ndarray:
    """`[N, T]` bits to the bits that the rule of the problem makes of them."""
    if problem == "bits_parity":
        return x.cumsum(1) % 2
    if problem != "bits_4":
        return 1 - x
    o = np.zeros_like(x)
    before = np.zeros(len(x), dtype=x.dtype)
    for step in range(x.shape[1]):
        o[:, step] = before = np.where(x[:, step] == before, 1 - x[:, step], x[:, step])
    return o


def _different(generator: np.random.Generator, pool: int, wanted: int) -> list[int]:
    """Different numbers below `pool`."""
    if pool <= _ENUMERABLE:
        return generator.permutation(pool)[:wanted].tolist()
    size, numbers = (pool.bit_length() + 7) // 8, dict[int, None]()
    while len(numbers) < wanted:
        number = int.from_bytes(generator.bytes(size), "big") >> (8 * size - pool.bit_length())
        if number < pool:
            numbers[number] = None
    return list(numbers)


def _string(number: int) -> np.ndarray:
    """The binary digits of a number after its leading one: each string of bits belongs to one number."""
    return np.array([int(digit) for digit in f"{number:b}"[1:]], dtype=np.int64)
