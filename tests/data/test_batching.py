from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BucketSampler, padding_share


def lengths(size: int, seed: int = 0) -> np.ndarray:
    """Like film reviews: mean 240, long tail, none over 400."""
    return np.random.default_rng(seed).lognormal(5.2, 0.65, size).clip(5, 400).astype(int)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 17), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.integers(0, 3))
def test_every_sample_once_on_any_number_of_ranks(
    size: int, batch_size: int, world: int, pool: int, shuffle: bool, epoch: int
) -> None:
    shares = []
    for rank in range(world):
        sampler = BucketSampler(lengths(size), batch_size, 3, shuffle, pool, rank, world)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler)
    seen = [index for rank in shares for share in rank for index in share.indices if index != PADDING_SAMPLE]
    assert sorted(seen) == list(range(size))
    for step in zip(*shares, strict=True):
        real = [index for share in step for index in share.indices if index != PADDING_SAMPLE]
        assert {share.count for share in step} == {len(real)}
        assert 1 <= len(real) <= batch_size


def test_two_ranks_together_make_the_batches_of_one() -> None:
    one = list(BucketSampler(lengths(103), 10, 5))
    first, second = (list(BucketSampler(lengths(103), 10, 5, rank=rank, world=2)) for rank in range(2))
    for whole, even, odd in zip(one, first, second, strict=True):
        assert whole.indices[::2] == even.indices
        assert whole.indices[1::2] == [index for index in odd.indices if index != PADDING_SAMPLE]


def test_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        sampler = BucketSampler(lengths(500), 8, seed)
        sampler.set_epoch(epoch)
        return [share.indices for share in sampler]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert {frozenset(batch) for batch in order(1, 0)} != {frozenset(batch) for batch in order(1, 1)}


def test_batches_do_not_come_by_length() -> None:
    means = [lengths(6400)[share.indices].mean() for share in BucketSampler(lengths(6400), 64, 1)]
    steps = np.sign(np.diff(means))
    assert 0.3 < (steps > 0).mean() < 0.7


def test_an_epoch_can_begin_midway_once() -> None:
    sampler = BucketSampler(lengths(100), 8, 1)
    whole = list(sampler)
    sampler.start_at(5)
    assert list(sampler) == whole[5:]
    assert list(sampler) == whole
    with pytest.raises(ValueError, match="position 14"):
        sampler.start_at(14)


def test_evaluation_order_never_changes() -> None:
    sampler = BucketSampler(lengths(1000), 16, 1, shuffle=False, pool_batches=10)
    first = list(sampler)
    sampler.set_epoch(7)
    assert list(sampler) == first == list(BucketSampler(lengths(1000), 16, 2, shuffle=False, pool_batches=10))


def test_little_padding_on_lengths_of_film_reviews() -> None:
    values = lengths(25000)
    assert padding_share(values, BucketSampler(values, 64, 1).global_batches(0)) < 0.08
    assert padding_share(values, BucketSampler(values, 64, 1, pool_batches=1).global_batches(0)) > 0.3


def test_padding_share_by_hand() -> None:
    assert padding_share(np.array([1, 3, 2]), [np.array([0, 1]), np.array([2])]) == pytest.approx(1 - 6 / 8)


def test_shares_count_the_targets_of_their_step() -> None:
    """Ten batches, three to a step, the last step with one; the same from the middle of an epoch, and on any rank."""
    targets = np.arange(1, 38)
    options = {"shuffle": False, "pool_batches": 1, "accumulate": 3}
    shares = list(BucketSampler(targets, 4, targets=targets, **options))
    of_batches = [int(targets[share.indices].sum()) for share in shares]
    assert [share.count for share in shares] == [sum(of_batches[n - n % 3 : n - n % 3 + 3]) for n in range(10)]
    assert [share.count for share in BucketSampler(targets, 4, **options)] == [12] * 9 + [1]
    ranks = [BucketSampler(targets, 4, targets=targets, **options, rank=rank, world=2) for rank in range(2)]
    ranks[0].start_at(4)
    assert [share.count for share in ranks[0]] == [share.count for share in shares[4:]]
    assert [share.count for share in ranks[1]] == [share.count for share in shares]


def test_long_samples_are_in_smaller_batches() -> None:
    sizes = lengths(200)
    sizes[[3, 70, 71, 150]] = 9_000, 2_000, 1_900, 1_700
    sampler = BucketSampler(sizes, 16, 3, max_tokens=16 * 400, accumulate=2)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = [share.indices for share in sampler]
        assert len(batches) == len(sampler) == 13 + 2
        assert sorted(index for batch in batches for index in batch) == list(range(200))
        assert all(len(batch) * sizes[batch].max() <= 6_400 for batch in batches if batch != [3])
        assert [150, 71, 70] in batches
        assert [3] in batches
        epochs.append(batches)
    assert epochs[0] != epochs[1]
    assert sampler.long == 4


def test_without_long_samples_the_bound_changes_nothing() -> None:
    bounded, free = (BucketSampler(lengths(500), 8, 1, max_tokens=most) for most in (8 * 400, None))
    assert list(bounded) == list(free)
    assert bounded.long == 0
