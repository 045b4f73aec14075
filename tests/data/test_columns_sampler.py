from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.columns_sampler import SHORTEST, Chunk, ColumnsSampler, cut_columns, random_lengths


def test_the_windows_by_hand() -> None:
    assert [*ColumnsSampler(7, 3, accumulate=2).chunks(0)] == [
        Chunk(0, 0, 3, 0, 3, (0, 6)),
        Chunk(3, 3, 6, 1, 3, (0, 6)),
        Chunk(6, 6, 7, 2, 1, (6, 7)),
    ]
    assert [*ColumnsSampler(7, 2, 5).chunks(0)] == [
        Chunk(0, 0, 2, 0, 0, (0, 2)),
        Chunk(0, 2, 4, 1, 1, (2, 4)),
        Chunk(1, 4, 6, 2, 1, (4, 6)),
        Chunk(2, 6, 7, 3, 5, (6, 7)),
    ]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 400), st.integers(1, 50), st.integers(0, 60), st.booleans(), st.integers(0, 3))
def test_new_tokens_come_once_and_windows_end_with_them(
    length: int, k1: int, more: int, random: bool, epoch: int
) -> None:
    sampler = ColumnsSampler(length, k1 + 10 * random, k1 + 10 * random + more, random, seed=3)
    sampler.set_epoch(epoch)
    chunks = list(sampler)
    assert len(chunks) == len(sampler)
    assert [place for chunk in chunks for place in range(chunk.first, chunk.stop)] == list(range(length))
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    for chunk, following in pairwise(chunks):
        assert chunk.start + chunk.advance == following.start
        assert 0 <= chunk.advance <= chunk.stop - chunk.start
    assert chunks[-1].start + chunks[-1].advance == length
    for chunk in chunks:
        new = chunk.stop - chunk.first
        assert chunk.stop - chunk.start == (max(new, min(chunk.stop, k1 + 10 * random + more)) if more else new)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), st.integers(10, 80), st.integers(0, 2**62), st.integers(0, 5))
def test_drawn_lengths_fill_a_column_and_are_never_short(length: int, chunk: int, seed: int, epoch: int) -> None:
    lengths = random_lengths(length, chunk, seed, epoch)
    assert lengths.sum() == length
    assert lengths.min() >= min(SHORTEST, length)
    assert (
        len(lengths)
        == len(random_lengths(length, chunk, seed, epoch + 1))
        == len(ColumnsSampler(length, chunk, random=True))
    )


def test_epoch_and_position_are_read_at_the_first_window() -> None:
    """A run that resumes sets both after the loader has made the iterator."""
    sampler = ColumnsSampler(200, 7, random=True, seed=3)
    windows = iter(sampler)
    sampler.set_epoch(2)
    sampler.start_at(5)
    assert [*windows] == [*sampler.chunks(2)][5:]


def test_drawn_lengths_are_those_of_the_paper() -> None:
    lengths = np.concatenate([random_lengths(20_000, 70, 1, epoch) for epoch in range(20)])
    usual = lengths > 52
    assert usual.mean() == pytest.approx(0.95, abs=0.01)
    assert lengths[usual].mean() == pytest.approx(70, abs=1)
    assert lengths[usual].std() == pytest.approx(5, abs=0.5)
    assert lengths[~usual].mean() == pytest.approx(35, abs=2)


def test_drawn_lengths_are_a_function_of_seed_and_epoch() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        return random_lengths(5000, 35, seed, epoch).tolist()

    assert drawn(1, 0) == drawn(1, 0)
    assert len({tuple(drawn(*pair)) for pair in ((1, 0), (1, 1), (2, 0), (2, 1))}) == 4


@pytest.mark.parametrize("random", [False, True])
def test_a_pass_can_begin_midway_once(random: bool) -> None:
    sampler = ColumnsSampler(300, 20, 40, random)
    whole = list(sampler)
    sampler.start_at(5)
    assert list(sampler) == whole[5:]
    assert list(sampler) == whole
    with pytest.raises(ValueError, match="position 99"):
        sampler.start_at(99)


@pytest.mark.parametrize("options", [(0, 1), (5, 0), (5, 3, 2)])
def test_lengths_that_cannot_be(options: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="chunk_length"):
        ColumnsSampler(*options)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 120), st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_columns_are_the_text_one_after_the_other(size: int, columns: int, world: int, before: bool) -> None:
    flat, tokens = np.arange(1, size + 1, dtype=np.int32), size if before else size - 1
    if tokens < columns:
        with pytest.raises(ValueError, match=f"{tokens} tokens for {columns} columns"):
            cut_columns(flat, columns, 99 if before else None)
        return
    found: dict[int, np.ndarray] = {}
    taken = []
    for rank in range(min(world, columns)):
        own = cut_columns(flat, columns, 999 if before else None, rank, world)
        whole = own.window(0, own.length + 1)
        assert not whole[own.lengths < own.length, -1].any()
        for start in range(own.length):
            for stop in range(start + 1, own.length + 2):
                assert (own.window(start, stop) == whole[:, start:stop]).all()
        taken.append(own.starts.tolist())
        found.update(
            {start: row[: length + 1] for start, row, length in zip(own.starts, whole, own.lengths, strict=True)}
        )
    starts = sorted(found)
    assert taken == [starts[rank::world] for rank in range(min(world, columns))]
    rows = [found[start] for start in starts]
    assert starts == [0, *np.cumsum([len(row) - 1 for row in rows[:-1]])]
    assert np.concatenate([row[1:] for row in rows]).tolist() == flat[not before :].tolist()
    assert [row[0] for row in rows[1:]] == [row[-1] for row in rows[:-1]]
    assert rows[0][0] == (999 if before else 1)
    assert max(map(len, rows)) - min(map(len, rows)) <= 1
    for first in range(own.length):
        for stop in range(first + 1, own.length + 1):
            assert own.count(first, stop) == sum(max(0, min(stop, len(row) - 1) - first) for row in rows)
