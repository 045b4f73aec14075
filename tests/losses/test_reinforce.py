from __future__ import annotations

from itertools import product

import pytest
import torch
from torch.nn import functional

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.hard import HardAttention
from lightning_seq.cells.init import Initialisation
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


@pytest.mark.parametrize("later", [True, False])
def test_of_two_words_each_choice_has_the_reward_of_what_depends_on_it(later: bool) -> None:
    """The mean over all pairs of places of the gradient is d/dθ Σ p_s p_u (r_s + r_su); without `later` r_su = r_u."""
    torch.manual_seed(1)
    logits = torch.randn(2, 3, requires_grad=True)
    first = torch.randn(3)
    second = torch.randn(3, 3) if later else torch.randn(3).expand(3, 3)
    p = logits.softmax(1)
    exact = (p[0][:, None] * p[1] * (first[:, None] + second)).sum()
    expected = torch.autograd.grad(exact, logits)[0]
    for baseline in (0.0, -3.0):
        found = torch.zeros_like(expected)
        for s, u in product(range(3), range(3)):
            p = logits.softmax(1)
            loss = Reinforce(1.0, 0.0).loss(
                torch.stack([first[s], second[s, u]])[None], torch.stack([p[0, s], p[1, u]]).log()[None], p[None],
                torch.ones(1, 2, dtype=torch.bool), torch.tensor(baseline), later,
            )  # fmt: skip
            found += float((p[0, s] * p[1, u]).detach()) * torch.autograd.grad(-loss, logits)[0]
        torch.testing.assert_close(found, expected)


class Toy:
    """A word whose likelihood depends on the place that is looked at: log p(y | c) = log softmax(c)_y."""

    def __init__(self, rows: int) -> None:
        torch.manual_seed(2)
        self.attention = HardAttention(AdditiveScorer(2, 4, 3))
        Initialisation()(self.attention, 1)
        self.values = torch.randn(1, 5, 4).expand(rows, -1, -1)
        self.query, self.mask = torch.ones(rows, 1, 2), torch.ones(rows, 5, dtype=torch.bool)
        self.weights = [*self.attention.parameters()]

    def likelihood(self, contexts: torch.Tensor) -> torch.Tensor:
        return contexts.log_softmax(-1)[..., 1]

    def gradient(self, value: torch.Tensor) -> torch.Tensor:
        return torch.cat([one.flatten() for one in torch.autograd.grad(value, self.weights, retain_graph=True)])


def test_the_mean_of_many_samples_is_the_exact_gradient() -> None:
    """Half of the sources have the mean as their context, the others one place (Xu et al. 2015, sec. 4.1)."""
    toy = Toy(40_000)
    drawn = toy.attention.draw(toy.query, toy.attention.prepare(toy.values, toy.mask))
    assert drawn.chosen is not None
    likelihood = toy.likelihood(drawn.context)
    baseline = likelihood.detach().mean()
    weights, real = drawn.weights[:, 0], torch.ones(len(likelihood), 1, dtype=torch.bool)
    loss = Reinforce(1.0, 0.0).loss(likelihood, drawn.chosen, weights, real, baseline) - likelihood.sum()
    found = toy.gradient(-loss / len(likelihood))
    p = toy.attention.draw(toy.query[:1], toy.attention.prepare(toy.values[:1], toy.mask[:1])).weights[0, 0, 0]
    places = (p * toy.likelihood(toy.values[0])).sum()
    expected = toy.gradient((toy.likelihood(p @ toy.values[0]) + places) / 2)
    assert float((found - expected).norm() / expected.norm()) < 0.03
    half = float((drawn.chosen == 0).float().mean())
    assert half == pytest.approx(0.5, abs=0.02)


def test_entropy_is_rewarded() -> None:
    toy = Toy(1)
    weights = toy.attention.draw(toy.query, toy.attention.prepare(toy.values, toy.mask)).weights[:, 0]
    zeros, real = torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool)
    found = toy.gradient(-Reinforce(1.0, 3.0).loss(zeros, zeros, weights, real, torch.zeros(())))
    torch.testing.assert_close(found, toy.gradient(3.0 * -(weights * weights.log()).sum()))


def test_it_learns_to_look_at_the_place_that_the_word_needs() -> None:
    """Each value has a word and a mark, and the query's mark names the place; by chance one of four is found."""
    torch.manual_seed(3)
    attention, reinforce = HardAttention(AdditiveScorer(4, 8, 16)), Reinforce()
    Initialisation()(attention, 1)
    read = torch.nn.Linear(8, 4)
    optimizer = torch.optim.Adam([*attention.parameters(), *read.parameters()], lr=0.02)

    def batch(rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        marks = torch.stack([torch.randperm(4) for _ in range(rows)])
        words, wanted = torch.randint(4, (rows, 4)), torch.randint(4, (rows,))
        values = torch.cat([functional.one_hot(words, 4), functional.one_hot(marks, 4)], 2).float()
        return values, functional.one_hot(wanted, 4)[:, None].float(), words[marks == wanted[:, None]]

    for _ in range(600):
        values, query, targets = batch(64)
        drawn = attention.draw(query, attention.prepare(values, torch.ones(64, 4, dtype=torch.bool)))
        likelihood = -functional.cross_entropy(read(drawn.context[:, 0]), targets, reduction="none")[:, None]
        real = torch.ones(64, 1, dtype=torch.bool)
        mean = likelihood.detach().mean()
        loss = reinforce.loss(likelihood, drawn.chosen, drawn.weights[:, 0], real, mean) - likelihood.sum()  # type: ignore[arg-type]
        optimizer.zero_grad()
        (loss / 64).backward()
        optimizer.step()
    attention.eval()
    values, query, targets = batch(500)
    context = attention.attend(query, attention.prepare(values, torch.ones(500, 4, dtype=torch.bool))).context
    assert float((read(context[:, 0]).argmax(1) == targets).float().mean()) > 0.95


def test_entropy_and_mask() -> None:
    weights = torch.tensor([[[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]])
    mask = torch.tensor([[True, True, False]])
    zeros = torch.zeros(1, 3)
    loss = Reinforce(1.0, 2.0).loss(zeros, zeros, weights, mask, torch.tensor(5.0))
    torch.testing.assert_close(loss, -2 * torch.tensor(0.5).log() * -1)
