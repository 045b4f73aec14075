"""A long text in columns that are read side by side, and the plan by which a pass goes down them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

from lightning_seq.text.vocabulary import PAD

_STREAM = 1

VERSION = 1
"""Of the windows and their order: a run cannot resume from a checkpoint that was written under another version."""

USUAL, HALF, SPREAD, SHORTEST = 0.95, 0.5, 5.0, 5
"""How Merity et al. 2018 draw lengths: mostly around the whole length, else around its half; never under 5."""


@dataclass(frozen=True)
class Chunk:
    """One batch's window of every column, in tokens to be predicted: `[start, stop)`, of which `[first, stop)` are new.

    number:  its place in the pass.
    advance: how far after `start` the next window begins; in the last one of a pass, the whole window.
    step:    `[first, stop)` of the new tokens of all windows whose gradients are accumulated with this one's.
    """

    start: int
    first: int
    stop: int
    number: int
    advance: int
    step: tuple[int, int]


class ColumnsSampler(Sampler[Chunk]):
    """The windows of a pass down columns of `length` tokens, the same for every rank.

    chunk_length:    k1, new tokens of a window; the last window may have fewer.
    backward_length: k2, tokens of a window, the new ones among them; fewer at the top. None: the new ones alone.
    random:          new tokens of a window are drawn, `random_lengths`: a pure function of (seed, epoch).
    accumulate:      windows of an optimiser step; the last step of a pass may have fewer.

    Give it to a DataLoader as `sampler=` with `batch_size=None`; Lightning calls `set_epoch`.
    """

    def __init__(
        self,
        length: int,
        chunk_length: int,
        backward_length: int | None = None,
        random: bool = False,
        seed: int = 1,
        accumulate: int = 1,
    ) -> None:
        backward_length = chunk_length if backward_length is None else backward_length
        if length < 1 or not 1 <= chunk_length <= backward_length:
            raise ValueError(f"length {length}, chunk_length {chunk_length}, backward_length {backward_length}")
        self.length, self.chunk_length, self.backward_length = length, chunk_length, backward_length
        self.random, self.seed, self.accumulate = random, seed, accumulate
        self.epoch, self.position = 0, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def start_at(self, position: int) -> None:
        """Let the next pass, and only that one, begin with window number `position`."""
        if not 0 <= position <= len(self):
            raise ValueError(f"position {position}, expected 0 to {len(self)}")
        self.position = position

    def __len__(self) -> int:
        """Windows in a whole pass, in every epoch."""
        if self.random:
            return random_chunks(self.length, self.chunk_length)
        return -(-self.length // self.chunk_length)

    def __iter__(self) -> Iterator[Chunk]:
        position, self.position = self.position, 0
        yield from self.chunks(self.epoch)[position:]

    def chunks(self, epoch: int) -> list[Chunk]:
        """The windows of an epoch, in order."""
        if self.random:
            stops = np.cumsum(random_lengths(self.length, self.chunk_length, self.seed, epoch)).tolist()
        else:
            stops = [*range(self.chunk_length, self.length, self.chunk_length), self.length]
        firsts = [0, *stops[:-1]]
        # With drawn lengths the new tokens alone may be more than k2, or than k1 where that is all.
        back = self.backward_length if self.backward_length > self.chunk_length else 0
        starts = [min(first, max(0, stop - back)) for first, stop in zip(firsts, stops, strict=True)]
        following = [*starts[1:], self.length]

        def step(number: int) -> tuple[int, int]:
            begin = number - number % self.accumulate
            return firsts[begin], stops[min(begin + self.accumulate, len(stops)) - 1]

        return [
            Chunk(start, first, stop, number, after - start, step(number))
            for number, (start, first, stop, after) in enumerate(zip(starts, firsts, stops, following, strict=True))
        ]


def random_chunks(length: int, chunk_length: int) -> int:
    """How many windows of drawn lengths make a pass: as many as have `length` tokens in the mean."""
    mean = chunk_length * (USUAL + (1 - USUAL) * HALF)
    return max(1, min(round(length / mean), length // SHORTEST))


def random_lengths(length: int, chunk_length: int, seed: int, epoch: int) -> np.ndarray:
    """New tokens of each window of an epoch, `[windows]`, `length` in all.

    Drawn from N(chunk_length, 5²) with probability 0.95, else from N(chunk_length / 2, 5²), and 5 at least (Merity et
    al. 2018). As every epoch has equally many windows, what the draws lack or have too much is spread over windows
    chosen at random, a token each.
    """
    generator = np.random.default_rng(np.random.SeedSequence([seed, _STREAM, epoch]))
    size, least = random_chunks(length, chunk_length), min(SHORTEST, length)
    means = np.where(generator.random(size) < USUAL, chunk_length, chunk_length * HALF)
    lengths = np.maximum(generator.normal(means, SPREAD).astype(np.int64), least)
    while gap := length - int(lengths.sum()):
        free = np.arange(size) if gap > 0 else np.flatnonzero(lengths > least)
        chosen = generator.permutation(free)[: abs(gap)]
        lengths[chosen] += np.sign(gap)
    return lengths


@dataclass(frozen=True)
class Columns:
    """Some of the columns of a text, each a stretch of it; their lengths differ by one token at most.

    tokens:   `[C, length + 1]` int32: the token before a column's first token, then its tokens, then padding.
    lengths:  `[C]`, tokens of each.
    starts:   `[C]`, the number of tokens in the columns before each.
    of:       how many columns there are in all.
    total:    tokens of all columns.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    of: int
    total: int

    @property
    def length(self) -> int:
        """Of the longest of all columns."""
        return -(-self.total // self.of)

    def count(self, first: int, stop: int) -> int:
        """Tokens that all columns, not these alone, have from `first` to before `stop`."""
        longer = self.total % self.of or self.of
        full = min(stop, self.length - 1) - min(first, self.length - 1)
        return full * self.of + (longer if first < self.length <= stop else 0)


def cut_columns(flat: np.ndarray, columns: int, before: int | None, rank: int = 0, world: int = 1) -> Columns:
    """Columns `rank`, `rank + world`, … of a text cut into so many.

    flat:   `[N]` ids.
    before: the id before the text; None: the first token of the text is not predicted, and is the first input.
    """
    total = len(flat) if before is not None else len(flat) - 1
    if total < columns:
        raise ValueError(f"{total} tokens for {columns} columns")
    short, longer = divmod(total, columns)
    numbers = np.arange(rank, columns, world)
    lengths = short + (numbers < longer)
    starts = numbers * short + np.minimum(numbers, longer)
    tokens = np.full((len(numbers), short + bool(longer) + 1), PAD, dtype=np.int32)
    shift = 0 if before is None else 1
    tokens[:, 0] = before or 0  # stays in the first column alone
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        inside = max(start - shift, 0)
        part = flat[inside : start - shift + length + 1]
        tokens[row, length + 1 - len(part) : length + 1] = part
    return Columns(tokens, lengths, starts, columns, total)
