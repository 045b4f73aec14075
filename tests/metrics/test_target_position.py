"""Accuracy by place against counting, alone and shared among ranks."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.utilities.data import dim_zero_sum

from lightning_seq.metrics.target_position import AccuracyByPosition


def batches(sizes: tuple[tuple[int, int], ...] = ((3, 5), (4, 9), (2, 2))) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    made = []
    for B, T in sizes:
        lengths = torch.randint(0, T + 1, (B, 1), generator=generator)
        made.append((torch.rand(B, T, generator=generator) < 0.6, torch.arange(T) < lengths))
    return made


def test_each_place_is_counted() -> None:
    metric = AccuracyByPosition(positions=4)
    right, n = [0] * 4, [0] * 4
    for hits, mask in batches():
        metric.update(hits, mask)
        for b in range(hits.shape[0]):
            for t in range(hits.shape[1]):
                if mask[b, t]:
                    right[min(t, 3)] += int(hits[b, t])
                    n[min(t, 3)] += 1
    assert len(set(n)) > 1
    assert metric.compute() == {
        "accuracy": [pytest.approx(r / c) for r, c in zip(right, n, strict=True)],
        "n": n,
        "and_later": True,
    }


def test_by_hand() -> None:
    metric = AccuracyByPosition(positions=10)
    metric.update(
        torch.tensor([[True, False, True], [True, True, True]]),
        torch.tensor([[True, True, True], [True, False, False]]),
    )
    assert metric.compute() == {"accuracy": [1.0, 0.0, 1.0], "n": [2, 1, 1], "and_later": False}
    metric.reset()
    metric.update(torch.tensor([[True]]), torch.tensor([[False]]))
    assert metric.compute() == {"accuracy": [], "n": [], "and_later": False}
    metric.update(torch.tensor([[True, True]]), torch.tensor([[False, True]]))
    assert metric.compute() == {"accuracy": [None, 1.0], "n": [0, 1], "and_later": False}


def test_shares_of_ranks_add_up() -> None:
    whole, shares = AccuracyByPosition(6), [AccuracyByPosition(6), AccuracyByPosition(6)]
    for hits, mask in batches():
        whole.update(hits, mask)
        for rank, share in enumerate(shares):
            share.update(hits[rank::2], mask[rank::2])
    for name in ("right", "counted"):
        assert whole._reductions[name] is dim_zero_sum
        assert torch.equal(sum(getattr(share, name) for share in shares), getattr(whole, name))


def test_at_least_one_place() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        AccuracyByPosition(0)
