"""Masked softmax against a softmax over the places that count."""

from __future__ import annotations

import torch

from lightning_seq.attention.masked_softmax import masked_softmax


def test_equals_the_softmax_of_the_places_that_count() -> None:
    scores = torch.randn(4, 6, dtype=torch.double, requires_grad=True)
    mask = torch.arange(6) < torch.tensor([6, 3, 1, 0])[:, None]
    weights = masked_softmax(scores, mask)
    for row, length in enumerate((6, 3, 1)):
        torch.testing.assert_close(weights[row, :length], scores[row, :length].softmax(-1))
    assert not weights[~mask].any()
    assert not weights[3].any()
    (weights * torch.randn(6, dtype=torch.double)).sum().backward()
    assert torch.isfinite(scores.grad).all()
    assert not scores.grad[~mask].any()
