from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import ndcg_score

from lightning_seq.metrics.ranks import ndcg

nan = float("nan")


def test_a_value_computed_by_hand() -> None:
    """Relevances 0.5, 0 and 1 at the ranks 1, 2 and 3; two are above 0, so k = 2: 0.5 / (1 + 0.5 / log2 3)."""
    scores = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    relevances, real = torch.tensor([[0.5, 0.0, 1.0, 9.0]]), torch.tensor([[True, True, True, False]])
    assert ndcg(scores, relevances, real).item() == pytest.approx(0.5 / (1 + 0.5 * 0.6309297535714575))
    assert ndcg(scores[:, [2, 1, 0, 3]], relevances, real).item() == pytest.approx(
        (1 + 0) / (1 + 0.5 * 0.6309297535714575)
    )


def test_equal_scores_and_missing_values() -> None:
    real = torch.ones(4, 2, dtype=torch.bool)
    scores = torch.tensor([[1.0, 1.0], [nan, nan], [2.0, 1.0], [2.0, 1.0]])
    relevances = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [nan, nan]])
    np.testing.assert_array_equal(ndcg(scores, relevances, real), [0.0, 0.0, nan, nan])


def test_it_is_scikit_learns_at_k() -> None:
    generator = np.random.default_rng(3)
    scores = generator.normal(size=(20, 9))
    relevances = generator.integers(0, 3, (20, 9)) * (generator.random((20, 9)) < 0.6) / 2
    expected = [ndcg_score([rel], [own], k=int((rel > 0).sum())) for rel, own in zip(relevances, scores, strict=True)]
    found = ndcg(torch.tensor(scores), torch.tensor(relevances), torch.ones(20, 9, dtype=torch.bool))
    np.testing.assert_allclose(found, expected)
