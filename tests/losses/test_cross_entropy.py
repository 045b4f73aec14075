"""Cross-entropy against torch's, on the rows that count."""

from __future__ import annotations

import torch
from torch.nn import functional

from lightning_seq.losses.cross_entropy import cross_entropy_sum


def test_masked_rows_give_no_value_and_no_gradient() -> None:
    scores = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    targets, mask = torch.tensor([0, 2, 1, 1, 0]), torch.tensor([True, False, True, True, False])
    weights = torch.tensor([0.5, 1.0, 2.0], dtype=torch.double)
    loss = cross_entropy_sum(scores, targets, mask, weights, 0.1)
    expected = functional.cross_entropy(scores[mask], targets[mask], weights, reduction="sum", label_smoothing=0.1)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert not scores.grad[~mask].any()
    assert scores.grad[mask].abs().sum() > 0


def test_two_shares_add_up_to_one_batch() -> None:
    scores, targets = torch.randn(6, 3), torch.randint(3, (6,))
    mask = torch.ones(6, dtype=torch.bool)
    parts = [cross_entropy_sum(scores[r::2], targets[r::2], mask[r::2]) for r in (0, 1)]
    torch.testing.assert_close(sum(parts), cross_entropy_sum(scores, targets, mask))
    assert float(cross_entropy_sum(scores, targets, ~mask)) == 0
