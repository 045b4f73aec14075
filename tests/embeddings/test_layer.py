"""Input layers: what learns when, and one-hot inputs without one-hot vectors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_seq.embeddings.layer import Embedding, OneHot, lookup_product
from lightning_seq.errors import UserError

IDS = torch.tensor([[4, 2, 0], [1, 4, 0]])


def moved(layer: Embedding, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    """Which rows one step of training changes."""
    before = layer.weight.detach().clone()
    optimizer.zero_grad()
    out = layer(IDS)
    if out.requires_grad:
        ((out + 1) ** 2).sum().backward()
        optimizer.step()
    else:
        (out.sum() + torch.zeros((), requires_grad=True)).backward()
        optimizer.step()
    return (layer.weight.detach() != before).any(dim=1)


def adam(layer: Embedding) -> torch.optim.Optimizer:
    return torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.0)


def test_rows_by_id_and_zeros_for_padding() -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 3)
    layer = Embedding(5, 3, weight)
    out = layer(IDS)
    assert layer.width == 3
    assert torch.equal(out[0, 0], weight[4])
    assert torch.equal(out[1, 0], weight[1])
    assert not out[:, 2].any()
    assert weight[0].any()
    assert not torch.equal(Embedding(5, 3).weight[1], Embedding(5, 3).weight[1])
    assert not Embedding(5, 3).weight[0].any()


def test_fine_tuned_rows_learn_and_padding_does_not() -> None:
    torch.manual_seed(0)
    layer = Embedding(5, 3)
    assert moved(layer, adam(layer)).tolist() == [False, True, True, False, True]


def test_frozen_rows_never_learn() -> None:
    layer = Embedding(5, 3, torch.randn(5, 3), frozen=True)
    layer.set_epoch(100)
    assert layer.still
    assert not layer(IDS).requires_grad
    layer.thaw()
    assert moved(layer, adam(layer)).any()


@pytest.mark.parametrize("frozen", [1, 2])
def test_rows_frozen_for_n_epochs_learn_from_epoch_n_on(frozen: int) -> None:
    torch.manual_seed(0)
    layer = Embedding(5, 3, frozen=frozen)
    # Weight decay and momentum must not move rows that stand still.
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
    assert layer.weight.requires_grad
    learned = []
    for epoch in range(4):
        layer.set_epoch(epoch)
        learned.append(bool(moved(layer, optimizer).any()))
    assert learned == [epoch >= frozen for epoch in range(4)]
    layer.set_epoch(0)
    assert not moved(layer, optimizer).any()


def test_frozen_for_no_epoch_is_not_frozen() -> None:
    assert Embedding(5, 3, frozen=0)(IDS).requires_grad


@pytest.mark.parametrize("frozen", [-1, 1.5, "yes", None])
def test_frozen_is_a_truth_or_a_number_of_epochs(frozen: Any) -> None:
    with pytest.raises(UserError, match=r"embedding\.frozen is .*expected true, false or a number of epochs"):
        Embedding(5, 3, frozen=frozen)


def test_vectors_of_another_shape_are_refused() -> None:
    with pytest.raises(UserError, match=r"width 50, the model expects 100: .*word2vec\.vector_size=100.*=50"):
        Embedding(5, 100, torch.zeros(5, 50))
    with pytest.raises(UserError, match="have 4 rows, the vocabulary has 5 words"):
        Embedding(5, 3, torch.zeros(4, 3))


def test_a_lookup_is_the_product_with_one_hot_vectors_in_value_and_gradient() -> None:
    torch.manual_seed(0)
    layer = OneHot(7)
    ids = torch.tensor([[6, 3, 0], [1, 3, 0]])
    W = torch.randn(4, 7, requires_grad=True)
    assert layer.width == 7
    assert layer.is_lookup
    assert torch.equal(layer(ids), ids)
    assert not list(layer.parameters())
    for padding in (None, 0):
        dense = functional.one_hot(ids, 7).float()
        if padding is not None:
            dense = dense * (ids != padding).unsqueeze(-1)
        weight = torch.randn(2, 3, 4)
        expected, found = dense @ W.t(), lookup_product(layer(ids), W, padding)
        assert torch.equal(found, expected)
        (wanted,) = torch.autograd.grad((expected * weight).sum(), W)
        (got,) = torch.autograd.grad((found * weight).sum(), W)
        torch.testing.assert_close(got, wanted)


def test_dropout_drops_a_word_wherever_it_occurs_and_in_training_alone() -> None:
    torch.manual_seed(0)
    layer = Embedding(400, 3, torch.randn(400, 3), dropout=0.5)
    ids = torch.arange(1, 400).repeat(2, 1)
    out, plain = layer(ids), layer.eval()(ids)
    dropped = (out == 0).all(-1)
    assert torch.equal(dropped[0], dropped[1])
    assert 0.4 < dropped.double().mean() < 0.6
    assert torch.equal(out[~dropped], 2 * plain[~dropped])
    torch.manual_seed(5)
    one = layer.train()(ids)
    torch.manual_seed(5)
    assert torch.equal(layer(ids), one)
    with pytest.raises(UserError, match=r"embedding\.dropout is 1"):
        Embedding(5, 3, dropout=1.0)
