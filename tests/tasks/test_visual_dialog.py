from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_seq.tasks.visual_dialog import VisualDialog


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_ranked_answers_is_smoothed_over_real_candidates(smoothing: float) -> None:
    scores = torch.tensor([[0.3, 1.2, -0.5], [0.7, -0.2, float("-inf")], [2.0, 1.0, 0.0]])
    right, real = torch.tensor([2, 0, 1]), scores.isfinite()
    task: Any = SimpleNamespace(
        model=SimpleNamespace(answers=True), _of_candidates=lambda context, batch: (scores, right, real)
    )
    batch: Any = SimpleNamespace(target_mask=torch.tensor([True, True, False]))
    expected = sum(
        functional.cross_entropy(row[:count], place, label_smoothing=smoothing)
        for row, count, place in zip(scores[:2], (3, 2), right, strict=False)
    )
    torch.testing.assert_close(VisualDialog._loss_sum(task, scores, batch, smoothing), expected)
