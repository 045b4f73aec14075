from __future__ import annotations

from functools import partial

import torch

from lightning_seq.losses.reinforce import Reinforce
from lightning_seq.models.captioner import doubly_stochastic
from lightning_seq.spec import Batch
from lightning_seq.tasks.captioning import Captioning
from lightning_seq.tasks.detokenizer import CaptionTexts
from tests.models.test_captioner import COUNTED, MASK, PICTURES, TARGETS, B, captioner

TEXTS = CaptionTexts(lambda ids: "", lambda split, row: "", "none", False, lambda split, row: [""], lambda text: False)
BATCH = Batch(torch.arange(B), PICTURES, MASK, TARGETS, COUNTED, int(COUNTED.sum()))


def task(hard: bool, penalty: float = 0.0) -> Captioning:
    made = Captioning(captioner(hard=hard), TEXTS, partial(torch.optim.SGD, lr=0.1), coverage_penalty=penalty)
    return made.train()


def test_hard_attention_learns_by_reinforce_with_a_moving_baseline() -> None:
    made = task(hard=True)
    made.reinforce = Reinforce(weight=2.0, entropy=0.0, decay=0.9)
    baseline = 0.0
    for seed in (1, 2):
        torch.manual_seed(seed)
        output = made.model(PICTURES, MASK, TARGETS, COUNTED)
        scores = made.model.softmax.log_probabilities(output.hidden.flatten(0, 1)).view(*TARGETS.shape, -1)
        likelihood = (scores.gather(2, TARGETS[..., None])[..., 0] * COUNTED).sum(1).detach()
        drawn = (output.chosen * COUNTED).sum(1)
        assert drawn.requires_grad
        torch.testing.assert_close(made.penalty(output, BATCH), -2 * ((likelihood - baseline) * drawn).sum())
        baseline = 0.9 * baseline + 0.1 * float(likelihood.mean())
        torch.testing.assert_close(made.expected_likelihood, torch.tensor(baseline))


def test_soft_attention_has_the_doubly_stochastic_penalty_alone() -> None:
    made = task(hard=False, penalty=0.5)
    output = made.model(PICTURES, MASK, TARGETS, COUNTED)
    torch.testing.assert_close(made.penalty(output, BATCH), 0.5 * doubly_stochastic(output.weights, COUNTED))
    assert task(hard=False).penalty(output, BATCH) == 0.0
