"""Initialisation as an axis of its own."""

from __future__ import annotations

import pytest
import torch

from lightning_seq import (
    ConvLSTMCell,
    ElmanCell,
    GreffLSTMCell,
    GRUCell,
    JordanCell,
    LSTMCell,
    MinimalGatedCell,
    ProjectedLSTMCell,
    UpdateGateCell,
)
from lightning_seq.cells.external import ExternalCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.errors import UserError

D, H = 5, 40


def blocks(cell: torch.nn.Module) -> tuple[torch.Tensor, ...]:
    return cell.get_parameter("U").split(H)


@pytest.mark.parametrize("kind", [ElmanCell, LSTMCell, GRUCell, GreffLSTMCell])
def test_orthogonal_and_identity_act_gate_by_gate(kind: type) -> None:
    cell = kind(D, H)
    Initialisation("orthogonal", scale=0.5)(cell, 1)
    first = blocks(cell)[0].clone()
    for block in blocks(cell):
        torch.testing.assert_close(block @ block.T, 0.25 * torch.eye(H))
    Initialisation("identity", scale=2.0)(cell, 1)
    for block in blocks(cell):
        assert torch.equal(block, 2 * torch.eye(H))
    Initialisation("orthogonal", scale=0.5)(cell, 2)
    assert not torch.equal(blocks(cell)[0], first)


def test_the_identity_of_a_convolution_is_its_middle_tap() -> None:
    cell = ConvLSTMCell(2, 3, [5, 5])
    Initialisation("identity")(cell, 1)
    U = cell.get_parameter("U")
    assert torch.equal(U[:3, :, 1, 1], torch.eye(3))
    assert U.abs().sum() == 4 * 3


@pytest.mark.parametrize(
    ("kind", "gate", "sign"),
    [(LSTMCell, "f", 1), (GRUCell, "z", 1), (UpdateGateCell, "z", 1), (MinimalGatedCell, "f", -1)],
)
def test_the_gate_that_keeps_starts_where_it_is_told(kind: type, gate: str, sign: int) -> None:
    cell = kind(D, H)
    for value in (0.0, 1.0, 3.0):
        Initialisation(forget_bias=value)(cell, 1)
        assert torch.equal(cell.gate_bias(gate), torch.full((H,), sign * value))
    Initialisation(chrono=50)(cell, 1)
    length = (sign * cell.gate_bias(gate)).exp()
    assert 1 <= length.min() < 10
    assert 40 < length.max() <= 49
    if kind is LSTMCell:
        assert torch.equal(cell.gate_bias("i"), -cell.gate_bias("f"))


def test_coupled_gates_keep_with_the_input_gate_shut() -> None:
    cell = GreffLSTMCell(D, H, coupled=True)
    Initialisation(forget_bias=2.0)(cell, 1)
    assert torch.equal(cell.gate_bias("i"), torch.full((H,), -2.0))


def test_a_frozen_bias_is_left_alone() -> None:
    cell = LSTMCell(D, H, bias={"f": 5.0})
    Initialisation(forget_bias=1.0)(cell, 1)
    assert torch.equal(cell.bias()[cell.gate_rows()["f"]], torch.full((H,), 5.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: JordanCell(D, H, hidden_layers=2),
        lambda: ProjectedLSTMCell(D, H, 7),
        lambda: ExternalCell(D, H, torch.nn.LSTMCell),
    ],
)
def test_everything_is_drawn_from_the_seed(make: object) -> None:
    one, other = make(), make()  # type: ignore[operator]
    Initialisation()(one, 3)
    torch.rand(5)
    Initialisation()(other, 3)
    for (name, mine), theirs in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs), name
    Initialisation()(other, 4)
    assert all(not torch.equal(mine, theirs) for mine, theirs in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recurrent": "orthogonl"}, "did you mean orthogonal"),
        ({"chrono": 2}, "at least 3 steps"),
        ({"chrono": 9, "forget_bias": 1.0}, "give one of them"),
    ],
)
def test_what_it_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Initialisation(**options)  # type: ignore[arg-type]
