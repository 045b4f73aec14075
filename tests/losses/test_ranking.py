"""The ranking loss against the paper's equations, one example after the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_seq.losses.ranking import ranked_class, ranking_loss_sum


def by_the_paper(
    scores: np.ndarray, targets: list[int], other: int | None, γ: float, m_right: float, m_wrong: float
) -> float:
    classes = [c for c in range(scores.shape[1] + (other is not None)) if c != other]
    total = 0.0
    for row, y in zip(scores, targets, strict=True):
        s = dict(zip(classes, row, strict=True))
        if y != other:
            total += np.log(1 + np.exp(γ * (m_right - s[y])))
        total += np.log(1 + np.exp(γ * (m_wrong + max(value for c, value in s.items() if c != y))))
    return total


@pytest.mark.parametrize("other", [None, 0, 2, 5])
@pytest.mark.parametrize("constants", [(2.0, 2.5, 0.5), (0.7, 1.0, 2.0)])
def test_it_is_the_papers(other: int | None, constants: tuple[float, float, float]) -> None:
    torch.manual_seed(0)
    scores = 3 * torch.randn(40, 5, dtype=torch.float64)
    targets = torch.randint(5 if other is None else 6, (40,))
    mask = torch.rand(40) < 0.7
    dirty = torch.where(mask[:, None], scores, torch.nan).requires_grad_()
    loss = ranking_loss_sum(dirty, targets.masked_fill(~mask, -100), mask, other, *constants)
    expected = by_the_paper(scores[mask].numpy(), targets[mask].tolist(), other, *constants)
    torch.testing.assert_close(float(loss.detach()), expected)
    (gradient,) = torch.autograd.grad(loss, dirty)
    assert not gradient[~mask].any()
    # The right class and its nearest rival are moved, and no other.
    moved = (gradient[mask] != 0).sum(1)
    assert moved.tolist() == [1 if y == other else 2 for y in targets[mask].tolist()]
    nudge = torch.randn(40, 5, dtype=torch.float64)
    up, down = (
        by_the_paper((scores + h * nudge)[mask].numpy(), targets[mask].tolist(), other, *constants)
        for h in (1e-6, -1e-6)
    )
    torch.testing.assert_close(float((gradient * nudge)[mask].sum()), (up - down) / 2e-6, rtol=1e-6, atol=1e-6)


def test_the_papers_constants_are_the_default() -> None:
    scores, target, mask = torch.tensor([[2.5, -0.5]]), torch.tensor([0]), torch.tensor([True])
    assert float(ranking_loss_sum(scores, target, mask)) == pytest.approx(2 * np.log(2))
    further = ranking_loss_sum(scores - torch.tensor([[0.0, 1.0]]), target, mask)
    assert float(further) == pytest.approx(np.log(2) + np.log(1 + np.exp(-2)))


def test_scores_however_large_give_finite_values_and_gradients() -> None:
    scores = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = ranking_loss_sum(scores, torch.tensor([0, 0]), torch.tensor([True, True]))
    assert float(loss.detach()) == pytest.approx(2 * 2e4, rel=1e-3)
    assert torch.autograd.grad(loss, scores)[0].tolist() == [[0, 0], [-2, 2]]
    alone = torch.tensor([[1.0]], requires_grad=True)
    loss = ranking_loss_sum(alone, torch.tensor([1]), torch.tensor([True]), other=0)
    assert float(loss.detach()) == pytest.approx(np.log(1 + np.exp(3)))
    assert torch.autograd.grad(loss, alone)[0].isfinite().all()


def test_two_shares_add_up_and_nothing_is_zero() -> None:
    scores, targets, mask = torch.randn(6, 3), torch.randint(4, (6,)), torch.ones(6, dtype=torch.bool)
    parts = [ranking_loss_sum(scores[r::2], targets[r::2], mask[r::2], other=1) for r in (0, 1)]
    torch.testing.assert_close(sum(parts), ranking_loss_sum(scores, targets, mask, other=1))
    assert float(ranking_loss_sum(scores, targets, ~mask, other=1)) == 0


def test_other_is_chosen_where_all_scores_are_negative() -> None:
    scores = torch.tensor([[-1.0, -2.0, -0.1], [-1.0, 0.2, 0.1], [0.3, -1.0, 0.2], [-1.0, -1.0, 0.0]])
    assert ranked_class(scores).tolist() == [2, 1, 0, 2]
    assert ranked_class(scores, other=3).tolist() == [3, 1, 0, 2]
    assert ranked_class(scores, other=1).tolist() == [1, 2, 0, 3]
    assert ranked_class(scores, other=0).tolist() == [0, 2, 1, 3]
