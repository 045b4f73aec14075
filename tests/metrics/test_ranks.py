from __future__ import annotations

import pytest
import torch

from lightning_seq.metrics.ranks import Ranks, ranks

SCORES = torch.tensor([
    [0.9, 0.1, 0.5, 0.3],
    [0.9, 0.1, 0.5, 0.3],
    [0.2, 0.2, 0.2, 0.7],
    [0.4, 0.6, 9.0, 9.0],
])  # fmt: skip
REAL = torch.tensor([[True] * 4] * 3 + [[True, True, False, False]])


def test_ranks_by_hand() -> None:
    assert ranks(SCORES, torch.tensor([0, 3, 1, 0]), REAL).tolist() == [1, 3, 4, 2]  # equal scores count as better
    nothing = torch.full((1, 3), float("nan"))
    assert ranks(nothing, torch.tensor([1]), torch.ones(1, 3, dtype=torch.bool)).tolist() == [3]


def test_mean_reciprocal_rank_and_recalls_by_hand() -> None:
    metric = Ranks(candidates=12, turns=2)
    metric.update(torch.tensor([1, 2, 12]), torch.tensor([0, 1, 1]))
    metric.update(torch.tensor([6]), torch.tensor([0]))
    values = {name: float(value) for name, value in metric.compute().items()}
    assert values == pytest.approx({
        "mrr": (1 + 1 / 2 + 1 / 12 + 1 / 6) / 4,
        "recall_at_1": 1 / 4,
        "recall_at_5": 2 / 4,
        "recall_at_10": 3 / 4,
        "mean_rank": (1 + 2 + 12 + 6) / 4,
        "mrr_turn_1": (1 + 1 / 6) / 2,
        "mrr_turn_2": (1 / 2 + 1 / 12) / 2,
    })  # fmt: skip


def test_parts_add_up_to_the_whole() -> None:
    draw = torch.Generator().manual_seed(1)
    found, turns = torch.randint(1, 8, (40,), generator=draw), torch.randint(0, 3, (40,), generator=draw)
    whole, halves = Ranks(7, 3), [Ranks(7, 3), Ranks(7, 3)]
    whole.update(found, turns)
    for rank, half in enumerate(halves):
        half.update(found[rank::2], turns[rank::2])
    assert torch.equal(whole.counts, halves[0].counts + halves[1].counts)
    assert whole.counts.sum() == 40
    whole.reset()
    assert not whole.counts.any()
