from __future__ import annotations

import torch

from lightning_seq.losses.reinforce import Reinforce


def test_gradient_is_that_of_the_expected_likelihood() -> None:
    """With two places and rewards r_1, r_2 the mean over all draws of the gradient is d/dθ Σ p_s r_s, for any b."""
    logits = torch.tensor([0.3, -0.2], requires_grad=True)
    rewards = torch.tensor([-1.0, -3.0])
    expected = torch.autograd.grad((logits.softmax(0) * rewards).sum(), logits)[0]
    for baseline in (0.0, -2.0):
        found = torch.zeros(2)
        for place in range(2):
            weights = logits.softmax(0)
            loss = Reinforce(1.0, 0.0).loss(
                rewards[place].view(1, 1), weights[place].log().view(1, 1), weights.view(1, 1, 2),
                torch.ones(1, 1, dtype=torch.bool), torch.tensor(baseline),
            )  # fmt: skip
            found += weights[place].detach() * torch.autograd.grad(-loss, logits)[0]
        torch.testing.assert_close(found, expected)


def test_entropy_and_mask() -> None:
    weights = torch.tensor([[[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]])
    mask = torch.tensor([[True, True, False]])
    zeros = torch.zeros(1, 3)
    loss = Reinforce(1.0, 2.0).loss(zeros, zeros, weights, mask, torch.tensor(5.0))
    torch.testing.assert_close(loss, -2 * torch.tensor(0.5).log() * -1)
