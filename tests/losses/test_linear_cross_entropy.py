"""Chunked cross-entropy against torch's, on all scores at once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_seq.errors import UserError
from lightning_seq.losses.linear_cross_entropy import (
    linear_cross_entropy,
    linear_cross_entropy_sum,
    linear_token_losses,
)


def problem(N: int = 11, H: int = 5, V: int = 7, bias: bool = True, dtype: torch.dtype = torch.float64) -> list:
    """Hidden states, weight, bias and targets, with a seed of their own."""
    draw = torch.Generator().manual_seed(N + 100 * V)
    shapes = [(N, H), (V, H), (V,)]
    given = [torch.randn(shape, generator=draw, dtype=dtype).requires_grad_() for shape in shapes]
    return [*given[:2], given[2] if bias else None, torch.randint(V, (N,), generator=draw)]


def plain(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, ε: float = 0.0) -> Tensor:
    return functional.cross_entropy(
        functional.linear(hidden, weight, bias), targets, reduction="sum", label_smoothing=ε
    )


def gradients(loss: Tensor, given: list) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [tensor for tensor in given[:3] if tensor is not None]))


@given(
    st.integers(0, 9), st.integers(1, 6), st.integers(1, 8), st.booleans(), st.sampled_from([0.0, 0.1, 0.9]),
    st.none() | st.integers(1, 12), st.sampled_from([1.0, -2.5]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_values_and_gradients_are_those_of_all_scores_at_once(
    N: int, H: int, V: int, bias: bool, ε: float, chunk: int | None, scale: float
) -> None:
    given = problem(N, H, V, bias)
    loss, expected = linear_cross_entropy(*given, ε, chunk), plain(*given, ε)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    for one, other in zip(gradients(scale * loss, given), gradients(scale * expected, given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_scores_that_would_overflow_in_single_precision() -> None:
    given = problem(dtype=torch.float32)
    with torch.no_grad():
        given[0].mul_(300)
    double = [tensor.detach().double().requires_grad_() for tensor in given[:3]] + given[3:]
    loss, expected = linear_cross_entropy(*given), plain(*double)
    assert (double[0] @ double[1].T).abs().max() > 200
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    for one, other in zip(gradients(loss, given), gradients(expected, double), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-3)


def test_no_rows_give_zero_and_zero_gradients() -> None:
    given = problem(N=0)
    loss = linear_cross_entropy(*given)
    assert float(loss.detach()) == 0
    found = gradients(loss, given)
    assert [tuple(gradient.shape) for gradient in found] == [(0, 5), (7, 5), (7,)]
    assert not any(gradient.any() for gradient in found)
    assert linear_token_losses(*given).shape == (0,)


def test_masked_places_give_no_value_and_no_gradient_whatever_they_hold() -> None:
    hidden, weight, bias, targets = problem(N=12)
    mask = torch.tensor([[True, True, True, False], [False] * 4, [True, False, False, True]])
    places = mask.flatten()
    dirty = torch.where(places[:, None], hidden.detach(), torch.nan).view(3, 4, 5).requires_grad_()
    loss = linear_cross_entropy_sum(
        dirty, weight, bias, targets.masked_fill(~places, -7).view(3, 4), mask, 0.1, chunk=2
    )
    expected = plain(hidden[places], weight, bias, targets[places], 0.1)
    torch.testing.assert_close(loss, expected)
    wanted = gradients(expected, [hidden, weight, bias])
    found = gradients(loss, [dirty, weight, bias])
    assert not found[0][~mask].any()
    for one, other in zip(found, [wanted[0].view(3, 4, 5), *wanted[1:]], strict=True):
        torch.testing.assert_close(one, other)
    assert float(linear_cross_entropy_sum(dirty, weight, bias, targets.view(3, 4), ~mask & mask).detach()) == 0


def test_tied_weights_get_both_gradients() -> None:
    _, weight, bias, targets = problem()
    ids = torch.arange(11) % 7

    def both(loss: type(linear_cross_entropy)) -> Tensor:
        hidden = functional.embedding(ids, weight).tanh()
        return torch.autograd.grad(loss(hidden, weight, bias, targets), weight)[0]

    torch.testing.assert_close(both(linear_cross_entropy), both(plain))


@pytest.mark.parametrize("learning", range(3))
def test_only_what_learns_gets_a_gradient(learning: int) -> None:
    given = [tensor if index == 3 else tensor.detach() for index, tensor in enumerate(problem())]
    given[learning].requires_grad_()
    linear_cross_entropy(*given, chunk=4).backward()
    found = given[learning].grad.clone()
    given[learning].grad = None
    plain(*given).backward()
    torch.testing.assert_close(found, given[learning].grad)
    assert all(tensor.grad is None for index, tensor in enumerate(given) if index != learning)


def test_it_may_be_walked_back_twice_where_the_graph_is_kept() -> None:
    given = problem()
    loss = linear_cross_entropy(*given)
    (3 * loss).backward(retain_graph=True)
    loss.backward()
    expected = gradients(4 * plain(*given), given)
    for tensor, gradient in zip(given[:3], expected, strict=True):
        torch.testing.assert_close(tensor.grad, gradient)
    with pytest.raises(RuntimeError, match="retain_graph"):
        loss.backward()


def test_second_derivatives_are_refused_with_the_plain_form_named() -> None:
    given = problem()
    with pytest.raises(UserError, match=r"cross_entropy\(linear\(hidden, weight, bias\), targets\)"):
        torch.autograd.grad(linear_cross_entropy(*given), given[0], create_graph=True)


@pytest.mark.parametrize("chunk", [None, 1, 4, 11, 50])
def test_losses_of_each_row_without_a_gradient(chunk: int | None) -> None:
    given = problem()
    losses = linear_token_losses(*given, chunk=chunk)
    assert not losses.requires_grad
    torch.testing.assert_close(
        losses, functional.cross_entropy(given[0] @ given[1].T + given[2], given[3], reduction="none")
    )
    with torch.no_grad():
        loss = linear_cross_entropy(*given, chunk=chunk)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, losses.sum())


class Largest(TorchDispatchMode):
    """The most numbers that any tensor made inside held."""

    size = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        if isinstance(result, Tensor):
            self.size = max(self.size, result.numel())
        return result


def test_never_more_scores_than_a_chunk_has() -> None:
    given = problem(N=40, H=3, V=50)
    for chunk, most in ((8, 8 * 50), (1, 50 * 3)):
        with Largest() as seen:
            linear_cross_entropy(*given, chunk=chunk).backward()
        assert seen.size == most
    with Largest() as seen:
        plain(*given).backward()
    assert seen.size == 40 * 50


def test_half_precision_hidden_states_meet_single_precision_weights() -> None:
    given = problem(dtype=torch.float32)
    half = given[0].detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(half, *given[1:])
    expected = plain(half.float(), *given[1:])
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, given[1])[0] for value in (loss, expected)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chunk": 0}, "chunk is 0, expected at least 1 row"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0, expected at least 0 and less than 1"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        linear_cross_entropy(*problem(), **arguments)
