"""Attention: its windows, coverage and memory, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import Attention
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.location import LocationScorer
from lightning_seq.conformance.layers import randomise
from lightning_seq.errors import UserError
from tests.shapes import unchecked

Q, D = 4, 3


def asked(attention: Attention, T: int, lengths: list[int], start: int | None = None) -> torch.Tensor:
    """Weights `[B, T, S]` of random queries."""
    B, S = len(lengths), max(lengths)
    mask = torch.arange(S) < torch.tensor(lengths)[:, None]
    memory = attention.prepare(torch.randn(B, S, D), mask)
    first = None if start is None else torch.full((B,), start)
    return attention.attend(torch.randn(B, T, Q), memory, start=first).weights[:, 0]


def test_a_monotonic_window_moves_by_one_place_and_stays_at_the_last() -> None:
    attention = Attention(BilinearScorer(Q, D), "monotonic", window=1)
    seen = asked(attention, 7, [4])[0] > 0
    expected = [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3], [3], [3], [3]]
    assert [row.nonzero().flatten().tolist() for row in seen] == expected
    assert torch.equal(asked(attention, 1, [4], start=2)[0, 0] > 0, seen[2])


def test_a_monotonic_window_knows_each_rows_own_end() -> None:
    weights = asked(Attention(BilinearScorer(Q, D), "monotonic", window=1), 6, [5, 2])
    assert (weights[1] > 0).sum(1).tolist() == [2, 2, 1, 1, 1, 1]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6))


def test_a_predictive_window_looks_where_the_query_says() -> None:
    attention = Attention(BilinearScorer(Q, D), "predictive", window=2)
    window = attention.window
    assert window is not None
    with torch.no_grad():
        window.W.copy_(torch.eye(Q))  # type: ignore[union-attr, operator]
        window.v.fill_(50.0)  # type: ignore[union-attr, operator]
    mask = torch.ones(1, 10, dtype=torch.bool)
    memory = attention.prepare(torch.zeros(1, 10, D), mask)
    query = torch.stack([torch.full((Q,), -1.0), torch.full((Q,), 1.0)])[None]
    weights = attention.attend(query, memory).weights[0, 0]
    assert (weights > 0).nonzero().tolist() == [[0, 0], [0, 1], [0, 2], [1, 8], [1, 9]]
    torch.testing.assert_close(weights[0, 0], torch.tensor(1 / 3))  # no distance: the bell leaves it
    torch.testing.assert_close(weights[0, 1], torch.tensor(1 / 3) * torch.tensor(-0.5).exp())


def test_coverage_is_of_no_effect_at_first_and_asks_one_by_one() -> None:
    torch.manual_seed(0)
    scorer = AdditiveScorer(Q, D)
    plain, covered = Attention(scorer), Attention(scorer, coverage=True)
    assert (plain.needs_previous, covered.needs_previous) == (False, True)
    values, mask, query = torch.randn(2, 5, D), torch.ones(2, 5, dtype=torch.bool), torch.randn(2, 1, Q)
    previous = torch.rand(2, 5)
    memory = covered.prepare(values, mask)
    expected = plain.attend(query, plain.prepare(values, mask))
    torch.testing.assert_close(covered.attend(query, memory, previous).weights, expected.weights)
    with pytest.raises(ValueError, match="1 query at a time, 3 came"):
        covered.attend(query.expand(2, 3, Q), memory)


def test_coverage_equals_eq_11_of_see_et_al() -> None:
    attention = Attention(AdditiveScorer(Q, D, bias=True), coverage=True)
    randomise(attention)
    scorer, coverage = attention.scorer, attention.coverage
    assert isinstance(scorer, AdditiveScorer)
    assert coverage is not None
    assert scorer.b is not None
    h, s, c = torch.randn(5, D).double(), torch.randn(Q).double(), torch.rand(5).double()
    e = torch.stack(
        [scorer.v @ torch.tanh(scorer.U @ h[i] + scorer.W @ s + coverage.w * c[i] + scorer.b) for i in range(5)]
    )
    memory = attention.prepare(h[None], torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(attention.attend(s[None, None], memory, c[None]).weights[0, 0, 0], e.softmax(0))


def test_a_memory_that_holds_the_values_alone_is_copied_once() -> None:
    attention = Attention(DotScorer(Q, Q))
    memory = attention.prepare(torch.randn(2, 3, Q), torch.ones(2, 3, dtype=torch.bool))
    assert memory.keys is memory.values
    chosen = memory.select(torch.tensor([1, 1, 0]))
    assert chosen.keys is chosen.values
    assert chosen.mask.shape == (3, 3)


def test_mistakes_are_named() -> None:
    scorer = BilinearScorer(Q, D)
    with pytest.raises(UserError, match="did you mean monotonic"):
        Attention(scorer, "monotone")
    with pytest.raises(UserError, match="window is 0"):
        Attention(scorer, "predictive", window=0)
    with pytest.raises(UserError, match="LocationScorer scores positions without them"):
        Attention(LocationScorer(Q, D), coverage=True)
    with pytest.raises(UserError, match="value_size is 0"):
        BilinearScorer(Q, 0)


def test_a_query_that_is_no_floating_tensor_is_refused_without_parameters_too() -> None:
    attention = Attention(DotScorer(4, 4))
    assert not [*attention.parameters()]
    memory = attention.prepare(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    with unchecked(), pytest.raises(TypeError, match=r"attention: query is bool \[2, 1, 4\], expected floating"):
        attention.attend(torch.ones(2, 1, 4, dtype=torch.bool), memory)
    with unchecked(), pytest.raises(TypeError, match=r"attention: values is int64 \[2, 3, 4\], expected floating"):
        attention.prepare(torch.ones(2, 3, 4, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool))
