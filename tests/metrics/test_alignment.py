"""Alignment error rate against sets of links, and entropy against its formula."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_sum

from lightning_seq.metrics.alignment import AlignmentErrorRate, AttentionEntropy

Case = tuple[Tensor, Tensor, Tensor, Tensor]


def case(seed: int, B: int = 3, T: int = 5, S: int = 4) -> Case:
    """Weights that reach into the padding, alignments there too, and rows without a link."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(B, T, S, generator=generator).softmax(-1)
    alignments = torch.rand(B, T, S, generator=generator) < 0.35
    target_mask = torch.arange(T) < torch.randint(0, T + 1, (B, 1), generator=generator)
    mask = torch.arange(S) < torch.randint(1, S + 1, (B, 1), generator=generator)
    return weights, alignments, target_mask, mask


def by_sets(cases: list[Case]) -> float:
    """Och & Ney 2003 with links as sets; of the possible ones of a token that is sure which A has, or else any."""
    A, P, S = set(), set(), set()
    for index, (weights, alignments, target_mask, mask) in enumerate(cases):
        B, T, places_in_all = weights.shape
        for b in range(B):
            for t in range(T):
                places = [s for s in range(places_in_all) if mask[b, s]]
                gold = {(index, b, t, s) for s in places if alignments[b, t, s]}
                if target_mask[b, t] and gold:
                    P |= gold
                    link = (index, b, t, max(places, key=lambda s: float(weights[b, t, s])))
                    A.add(link)
                    S.add(link if link in gold else min(gold))
    return 1 - (len(A & S) + len(A & P)) / (len(A) + len(S)) if S else math.nan


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_it_is_the_papers(seeds: list[int]) -> None:
    metric, cases = AlignmentErrorRate(), [case(seed) for seed in seeds]
    for each in cases:
        metric.update(*each)
    assert float(metric.compute()) == pytest.approx(by_sets(cases), abs=1e-6, nan_ok=True)


def test_links_by_hand() -> None:
    """Target tokens: one looks right, one looks wrong, one has no link, one has two."""
    weights = torch.tensor([[[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.1, 0.1, 0.8], [0.2, 0.3, 0.5]]])
    alignments = torch.tensor([[[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 1]]], dtype=torch.bool)
    everything = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    metric = AlignmentErrorRate()
    metric.update(weights, alignments, *everything)
    assert float(metric.compute()) == pytest.approx(1 / 3)
    metric.reset()
    metric.update(weights[:, :1], alignments[:, :1], everything[0][:, :1], everything[1])
    assert float(metric.compute()) == 0


def test_what_nobody_knows_is_no_number() -> None:
    metric = AlignmentErrorRate()
    weights, alignments, target_mask, mask = case(1)
    metric.update(weights, alignments & False, target_mask, mask)
    assert math.isnan(float(metric.compute()))


def test_shares_of_ranks_add_up() -> None:
    whole, shares = AlignmentErrorRate(), [AlignmentErrorRate(), AlignmentErrorRate()]
    for seed in (5, 6):
        each = case(seed)
        whole.update(*each)
        for rank, share in enumerate(shares):
            share.update(*(tensor[rank::2] for tensor in each))
    for name in ("right", "found"):
        assert whole._reductions[name] is dim_zero_sum
        assert int(getattr(whole, name)) == sum(int(getattr(share, name)) for share in shares) > 0


def test_entropy_is_a_mean_over_tokens_that_count() -> None:
    metric = AttentionEntropy()
    expected = []
    for seed in (2, 3):
        weights, _, target_mask, _ = case(seed)
        metric.update(weights, target_mask)
        for row in weights[target_mask].tolist():
            expected.append(-sum(weight * math.log(weight) for weight in row))
    metric.update(weights, target_mask & False)
    assert len(expected) > 3
    assert float(metric.compute()) == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_entropy_of_one_place_and_of_equal_ones() -> None:
    sharp, even = torch.tensor([[[1.0, 0, 0, 0]]]), torch.full((1, 1, 4), 0.25)
    for weights, expected in ((sharp, 0), (even, math.log(4))):
        metric = AttentionEntropy()
        metric.update(weights, torch.ones(1, 1, dtype=torch.bool))
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)


def test_shares_of_entropies_add_up() -> None:
    weights, _, target_mask, _ = case(8, B=6, T=9)
    whole, shares = AttentionEntropy(), [AttentionEntropy(), AttentionEntropy()]
    whole.update(weights, target_mask)
    for rank, share in enumerate(shares):
        share.update(weights[rank::2], target_mask[rank::2])
    for name in ("mean_value", "weight"):
        assert whole._reductions[name] is dim_zero_sum
        assert float(sum(getattr(share, name) for share in shares)) == pytest.approx(float(getattr(whole, name)))
