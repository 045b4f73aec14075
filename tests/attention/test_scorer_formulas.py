"""Scorers against each other and against torch, and what they refuse. The conformance suite has the rest."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import Attention
from lightning_seq.attention.concat import ConcatScorer
from lightning_seq.attention.cosine import CosineScorer
from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.location import LocationScorer
from lightning_seq.attention.multihead import MultiHeadScorer
from lightning_seq.attention.scaled_dot import ScaledDotScorer
from lightning_seq.attention.scorer import Scorer
from lightning_seq.conformance.layers import close, randomise
from lightning_seq.errors import UserError

Q, D = 6, 4


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_multihead_is_that_of_torch(heads: int) -> None:
    theirs = torch.nn.MultiheadAttention(Q, heads, bias=False, batch_first=True)
    ours = Attention(MultiHeadScorer(Q, Q, heads=heads))
    randomise(theirs, 3)
    scorer = ours.double().scorer
    assert isinstance(scorer, MultiHeadScorer)
    with torch.no_grad():
        for mine, block in zip((scorer.W_q, scorer.W_k, scorer.W_v), theirs.in_proj_weight.chunk(3), strict=True):
            mine.copy_(block)
        scorer.W_o.copy_(theirs.out_proj.weight)
    query, values = random(3, 2, Q), random(3, 5, Q, seed=1)
    mask = torch.arange(5) < torch.tensor([5, 2, 4])[:, None]
    context, weights = theirs(query, values, values, key_padding_mask=~mask, average_attn_weights=False)
    found = ours.attend(query, ours.prepare(values, mask))
    close(found.context, context)
    close(found.weights, weights)


def test_scaled_dot_is_that_of_torch() -> None:
    attention = Attention(ScaledDotScorer(Q, Q))
    query, values = random(3, 2, Q), random(3, 5, Q, seed=1)
    mask = torch.arange(5) < torch.tensor([5, 2, 4])[:, None]
    expected = torch.nn.functional.scaled_dot_product_attention(query, values, values, mask[:, None])
    close(attention.attend(query, attention.prepare(values, mask)).context, expected)


def test_concat_is_additive_with_its_matrices_side_by_side() -> None:
    additive, concat = AdditiveScorer(Q, D), ConcatScorer(Q, D)
    randomise(additive)
    concat.double()
    with torch.no_grad():
        concat.W.copy_(torch.cat([additive.W, additive.U], 1))
        concat.v.copy_(additive.v)
    query, values = random(2, 3, Q), random(2, 5, D, seed=1)
    close(concat.scores(query, concat.keys(values)), additive.scores(query, additive.keys(values)))


def test_cosine_lies_within_the_temperature_and_knows_no_lengths() -> None:
    scorer = CosineScorer(Q, Q, temperature=0.25).double()
    query, values = random(2, 3, Q), random(2, 5, Q, seed=1)
    scores = scorer.scores(query, scorer.keys(values))
    assert scores.abs().max() <= 4
    torch.testing.assert_close(scorer.scores(7 * query, scorer.keys(0.5 * values)), scores, rtol=0, atol=1e-6)
    close(
        scorer.scores(values, scorer.keys(values)).diagonal(dim1=2, dim2=3), torch.full((2, 1, 5), 4.0).double(), 1e-6
    )


@pytest.mark.parametrize("kind", [DotScorer, ScaledDotScorer])
def test_equal_widths_need_no_parameter_and_others_one_matrix(kind: type[Scorer]) -> None:
    assert not list(kind(Q, Q).parameters())
    assert [parameter.shape for parameter in kind(Q, D).parameters()] == [(Q, D)]


def test_a_sentence_longer_than_location_knows_is_named() -> None:
    attention = Attention(LocationScorer(Q, D, max_length=3))
    with pytest.raises(UserError, match=r"has 5 positions.* has 3: set attention.max_length=5"):
        attention.prepare(torch.zeros(1, 5, D), torch.ones(1, 5, dtype=torch.bool))


def test_wrong_options_are_named() -> None:
    with pytest.raises(UserError, match="heads is 4, which does not divide the queries' width 6"):
        MultiHeadScorer(Q, D, heads=4)
    assert MultiHeadScorer(Q, D, heads=4, head_size=2).key_size == 8
    with pytest.raises(UserError, match=r"attention\.heads is 0"):
        MultiHeadScorer(Q, D, heads=0)
    with pytest.raises(UserError, match=r"attention\.hidden_size is 0"):
        AdditiveScorer(Q, D, hidden_size=0)
    for temperature in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="expected a number above 0"):
            CosineScorer(Q, D, temperature=temperature)
    with pytest.raises(UserError, match=r"attention\.max_length is 0"):
        LocationScorer(Q, D, max_length=0)


def test_additive_makes_one_tensor_of_every_pair_and_no_more() -> None:
    """The tanh over [B, T, S, A] is the cost: nothing else of that size is made on the way forward."""
    scorer = AdditiveScorer(Q, D, hidden_size=32)
    query, keys = torch.randn(2, 3, Q), scorer.keys(torch.randn(2, 5, D))
    large = 2 * 3 * 5 * 32
    made: list[int] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.numel() == large:
                made.append(result.untyped_storage().data_ptr())
            return result

    with Watch():
        scorer.scores(query, keys)
    assert len(set(made)) == 1
