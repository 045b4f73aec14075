"""A long text in columns, one for each row of a batch, and the windows of a pass over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lightning_seq.data.planner import Planner
from lightning_seq.text.vocabulary import PAD

_STREAM = 1
VERSION = 1
"""Of the windows and their order: a run cannot resume from a checkpoint of another version."""

USUAL, HALF, SPREAD, SHORTEST = 0.95, 0.5, 5.0, 5
"""Lengths as in Merity et al. 2018: mostly around the whole length, else around its half, and at least 5."""


@dataclass(frozen=True)
class Chunk:
    """One batch's window of every column, in tokens to be predicted: `[start, stop)`, of which `[first, stop)` are new.

    number:  of the window in the pass, from 0.
    advance: from `start` to the start of the next window; in the last one of a pass, the whole window.
    step:    `[first, stop)` of the new tokens of all windows of the same optimiser step.
    """

    start: int
    first: int
    stop: int
    number: int
    advance: int
    step: tuple[int, int]


class ColumnsSampler(Planner[Chunk]):
    """The windows of a pass over columns of `length` tokens, the same for every rank.

    chunk_length:    k1, new tokens of a window; the last window may have fewer.
    backward_length: k2, all tokens of a window; fewer at the start of a pass. None: only the new ones.
    random:          draw the number of new tokens by `random_lengths`.
    accumulate:      windows of an optimiser step.
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
        super().__init__(seed, accumulate)
        self.length, self.chunk_length, self.backward_length = length, chunk_length, backward_length
        self.random = random

    def __len__(self) -> int:
        if self.random:
            return random_chunks(self.length, self.chunk_length)
        return -(-self.length // self.chunk_length)

    def __iter__(self) -> Iterator[Chunk]:
        # At the first window, not when the iterator is made: a run that resumes sets epoch and position in between.
        yield from self.chunks(self.epoch, self.take_position())

    def chunks(self, epoch: int, position: int = 0) -> Iterator[Chunk]:
        """The windows of an epoch, in order, from number `position`."""
        if self.random:
            stops = np.cumsum(random_lengths(self.length, self.chunk_length, self.seed, epoch))
        else:
            stops = np.append(np.arange(self.chunk_length, self.length, self.chunk_length), self.length)
        firsts = np.append(0, stops[:-1])
        # With drawn lengths a window may have more new tokens than k2.
        back = self.backward_length if self.backward_length > self.chunk_length else 0
        starts = np.minimum(firsts, np.maximum(0, stops - back))
        following = np.append(starts[1:], self.length)
        for number in range(position, len(stops)):
            begin = number - number % self.accumulate
            step = int(firsts[begin]), int(stops[min(begin + self.accumulate, len(stops)) - 1])
            start, first, stop, after = (int(places[number]) for places in (starts, firsts, stops, following))
            yield Chunk(start, first, stop, number, after - start, step)


def random_chunks(length: int, chunk_length: int) -> int:
    """The number of windows of drawn lengths in a pass: on average they have `length` tokens."""
    mean = chunk_length * (USUAL + (1 - USUAL) * HALF)
    return max(1, min(round(length / mean), length // SHORTEST))


def random_lengths(length: int, chunk_length: int, seed: int, epoch: int) -> np.ndarray:
    """New tokens of each window of an epoch, `[windows]`, `length` in all.

    Drawn from N(chunk_length, 5²) with probability 0.95, else from N(chunk_length / 2, 5²), and at least 5 (Merity et
    al. 2018). Every epoch has the same number of windows: random windows get one token more or less until the sum is
    `length`.
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
    """Some of the columns of a text; their lengths differ by one token at most.

    flat:     `[N]` ids of the whole text, which stay on disk.
    before:   the id before the text; None: the first token of the text is not predicted, and is the first input.
    lengths:  `[C]`, tokens of each.
    starts:   `[C]`, the number of tokens in the columns before each.
    of:       number of all columns.
    total:    tokens of all columns.
    """

    flat: np.ndarray
    before: int | None
    lengths: np.ndarray
    starts: np.ndarray
    of: int
    total: int

    def window(self, start: int, stop: int) -> np.ndarray:
        """`[C, stop - start]` int32, of each column: the token before its first one, its tokens, then padding."""
        steps = np.arange(start, stop)
        places = (self.starts - (self.before is not None))[:, None] + steps
        tokens = self.flat[places.clip(0, len(self.flat) - 1)]
        if self.before is not None and places[0, 0] < 0:  # only in the first column
            tokens[0, 0] = self.before
        tokens[steps > self.lengths[:, None]] = PAD
        return tokens

    @property
    def length(self) -> int:
        """Tokens of the longest column."""
        return -(-self.total // self.of)

    def count(self, first: int, stop: int) -> int:
        """Tokens of all columns, also those of other ranks, from `first` to before `stop`."""
        longer = self.total % self.of or self.of
        full = min(stop, self.length - 1) - min(first, self.length - 1)
        return full * self.of + (longer if first < self.length <= stop else 0)


def cut_columns(flat: np.ndarray, columns: int, before: int | None, rank: int = 0, world: int = 1) -> Columns:
    """Columns `rank`, `rank + world`, … of a text that is cut into `columns` columns.

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
    return Columns(flat, before, lengths, starts, columns, total)
