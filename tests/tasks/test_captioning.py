from __future__ import annotations

from functools import partial

import pytest
import torch

from lightning_seq.losses.reinforce import Reinforce
from lightning_seq.models.captioner import doubly_stochastic
from lightning_seq.spec import Batch
from lightning_seq.tasks.captioning import Captioning
from lightning_seq.tasks.detokenizer import CaptionTexts
from tests.models.test_captioner import COUNTED, MASK, PICTURES, TARGETS, B, captioner

TEXTS = CaptionTexts(lambda ids: "", lambda split, row: "", "none", False, lambda split, row: [""], lambda text: False)
BATCH = Batch(torch.arange(B), PICTURES, MASK, TARGETS, COUNTED, int(COUNTED.sum()))


def task(hard: bool, penalty: float = 0.0, style: str = "bahdanau") -> Captioning:
    made = Captioning(
        captioner(hard=hard, style=style), TEXTS, partial(torch.optim.SGD, lr=0.1), coverage_penalty=penalty
    )
    return made.train()


@pytest.mark.parametrize("style", ["bahdanau", "luong"])
def test_hard_attention_learns_by_reinforce_with_a_moving_baseline(style: str) -> None:
    made = task(hard=True, style=style)
    made.reinforce = Reinforce(weight=2.0, entropy=0.0, decay=0.9)
    baseline = None
    for seed in (1, 2):
        torch.manual_seed(seed)
        output = made.model(PICTURES, MASK, TARGETS, COUNTED)
        scores = made.model.softmax.log_probabilities(output.hidden.flatten(0, 1)).view(*TARGETS.shape, -1)
        likelihood = scores.gather(2, TARGETS[..., None])[..., 0].detach()
        mean = float(likelihood[COUNTED].mean())
        baseline = mean if baseline is None else baseline
        rewards = (likelihood - baseline) * COUNTED
        if style == "bahdanau":  # a place that was looked at changes all later words
            rewards = torch.stack([rewards[:, t:].sum(1) for t in range(rewards.shape[1])], 1)
        assert output.chosen.requires_grad
        assert all(len({bool(one) for one in row == 0}) == 1 for row in output.chosen), "means are of whole captions"
        expected = -2 * (rewards * output.chosen * COUNTED).sum()
        torch.testing.assert_close(made.penalty(output, BATCH), expected, rtol=1e-3, atol=1e-4)
        baseline = 0.9 * baseline + 0.1 * mean
        torch.testing.assert_close(made.expected_likelihood, torch.tensor(baseline))


def test_a_task_that_has_not_trained_holds_finite_numbers_alone() -> None:
    """Else none of its checkpoints is written."""
    for hard in (True, False):
        assert all(bool(one.isfinite().all()) for one in task(hard=hard).state_dict().values())


def test_soft_attention_has_the_doubly_stochastic_penalty_alone() -> None:
    made = task(hard=False, penalty=0.5)
    output = made.model(PICTURES, MASK, TARGETS, COUNTED)
    torch.testing.assert_close(made.penalty(output, BATCH), 0.5 * doubly_stochastic(output.weights, COUNTED))
    assert task(hard=False).penalty(output, BATCH) == 0.0
