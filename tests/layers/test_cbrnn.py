"""The connectionist bidirectional network."""

from __future__ import annotations

import pytest
import torch

from lightning_seq import CBRNN, ElmanCell, GRUCell, LSTMCell, Recurrent
from lightning_seq.conformance import layers as check
from lightning_seq.errors import UserError

D, H = 3, 4
RAGGED = [5, 2, 1, 4]


def cbrnn(kind: type = ElmanCell, activation: str = "tanh", engine: str = "auto") -> CBRNN:
    layer = CBRNN(kind(D, H), kind(D, H), activation, engine)
    check.randomise(layer)
    return layer


@pytest.mark.parametrize("kind", [ElmanCell, LSTMCell, GRUCell])
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_without_its_own_recurrence_it_is_the_sum_of_the_directions(kind: type, activation: str) -> None:
    layer = cbrnn(kind, activation)
    torch.nn.init.zeros_(layer.combined.cell.B)
    x, mask, _ = check.example(layer.forwards.cell, RAGGED)
    both = layer.forwards(x, mask)[0] + layer.backwards(x, mask)[0]
    squash = {"tanh": torch.tanh, "logistic": torch.sigmoid}[activation]
    check.close(layer(x, mask)[0], torch.where(mask[..., None], squash(both), 0.0))


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_the_combined_layer_step_by_step(engine: str) -> None:
    layer = cbrnn(engine=engine)
    x, mask, _ = check.example(layer.forwards.cell, RAGGED)
    outputs, ((end,),) = layer(x, mask)
    forwards, backwards = Recurrent(layer.forwards.cell)(x, mask)[0], Recurrent(layer.backwards.cell, True)(x, mask)[0]
    for row, length in enumerate(RAGGED):
        h = torch.zeros(H, dtype=torch.double)
        for t in range(length):
            h = torch.tanh(forwards[row, t] + backwards[row, t] + layer.combined.cell.B @ h)
            check.close(outputs[row, t], h)
        check.close(end[row], h)


def test_alone_as_in_a_batch_and_whatever_the_padding_holds() -> None:
    layer = cbrnn()
    clean, mask, _ = check.example(layer.forwards.cell, RAGGED)
    dirty, _, _ = check.example(layer.forwards.cell, RAGGED, padding=float("nan"))
    outputs = layer(dirty, mask)[0]
    check.close(outputs, layer(clean, mask)[0])
    for row, length in enumerate(RAGGED):
        check.close(outputs[row : row + 1, :length], layer(clean[row : row + 1, :length])[0])
    gradients = torch.autograd.grad(outputs.sin().sum(), list(layer.parameters()))
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


def test_gradients_against_finite_differences() -> None:
    layer = cbrnn()
    x, mask, _ = check.example(layer.forwards.cell, [3, 2])
    assert torch.autograd.gradcheck(lambda x: layer(x, mask)[0], x.requires_grad_())


def test_it_refuses_a_carried_state_and_unequal_directions() -> None:
    layer = cbrnn()
    x, mask, _ = check.example(layer.forwards.cell, [3, 2])
    with pytest.raises(ValueError, match="cannot carry a state"):
        layer(x, mask, layer(x, mask)[1])
    with pytest.raises(UserError, match="one output size"):
        CBRNN(ElmanCell(D, H), ElmanCell(D, H + 1))
