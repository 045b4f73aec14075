"""A run that is watched: the same numbers, every recurrence seen, gradients with respect to every state."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch

from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.layers.recurrent import Recurrent, watched
from lightning_seq.layers.stacked import Stacked

M = TypeVar("M", bound=torch.nn.Module)
MASK = torch.tensor([[True] * 6, [True, True, True, False, False, False]])


def of_weights(module: M) -> M:
    generator = torch.Generator().manual_seed(4)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=generator)
    return module.double()


def test_it_sees_every_recurrence_and_changes_nothing() -> None:
    layers = of_weights(
        Stacked(
            [
                Bidirectional(LSTMCell(3, 4), LSTMCell(3, 4)),
                CBRNN(GRUCell(8, 5), GRUCell(8, 5)),
                Recurrent(GRUCell(5, 2)),
            ]
        )
    )
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    plain, _ = layers(x, MASK)
    with watched() as seen:
        found, _ = layers(x, MASK)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-12)
    assert [each.layer for each in seen] == [module for module in layers.modules() if isinstance(module, Recurrent)]
    assert [each.layer.reverse for each in seen] == [False, True, False, True, False, False]
    assert [each.lengths.tolist() for each in seen if each.lengths is not None] == [[6, 3]] * 6
    torch.testing.assert_close(seen[0].x[MASK], x[MASK])
    with watched() as nothing:
        pass
    layers(x, MASK)
    assert nothing == []
    assert len(seen) == 6


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loss_has_gradients_with_respect_to_the_states_it_passed(reverse: bool) -> None:
    """The gradient of what a later state depends on, by moving the state in which a run begins."""
    layer = of_weights(Recurrent(GRUCell(3, 4), reverse=reverse))
    x = torch.randn(1, 6, 3, dtype=torch.float64)
    with watched() as seen:
        _, (last,) = layer(x)
    steps = seen[0].run.trace.steps  # type: ignore[union-attr]
    (found,) = torch.autograd.grad(last.square().sum(), [steps[2][0]])
    begun = steps[2][0].detach().requires_grad_()
    _, (again,) = layer(x[:, :3] if reverse else x[:, 3:], state=(begun,))
    (expected,) = torch.autograd.grad(again.square().sum(), [begun])
    assert expected.abs().max() > 1e-6
    torch.testing.assert_close(found, expected)
    states = torch.stack([step[0] for step in steps], 1)
    torch.testing.assert_close(seen[0].run.trace.states[0], states.flip(1) if reverse else states)  # type: ignore[union-attr]


def test_an_engine_that_cannot_trace_gives_way() -> None:
    layer = of_weights(Recurrent(LSTMCell(3, 4), engine="native"))
    with watched() as seen:
        layer(torch.randn(1, 2, 3, dtype=torch.float64))
    assert set(seen[0].run.trace.gates) == {"i", "f", "g", "o"}  # type: ignore[union-attr]
