"""Each cell against torch's own, its noise, its parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_seq.cells.cell import DenseCell, Noise
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.conformance.layers import close, randomise
from lightning_seq.errors import UserError

D, H, B = 3, 4, 5
CELLS = (ElmanCell, LSTMCell, GRUCell)


def torch_twin(cell: DenseCell) -> nn.RNNCellBase:
    """torch's cell with the same weights."""
    if isinstance(cell, ElmanCell):
        twin: nn.RNNCellBase = nn.RNNCell(D, H, nonlinearity=cell.activation)
    else:
        twin = (nn.LSTMCell if isinstance(cell, LSTMCell) else nn.GRUCell)(D, H)
    twin.double()
    with torch.no_grad():
        twin.weight_ih.copy_(cell.W)
        twin.weight_hh.copy_(cell.U)
        twin.bias_ih.copy_(cell.b)
        twin.bias_hh.zero_()
        if isinstance(cell, GRUCell):
            twin.bias_hh[2 * H :] = cell.b_n
    return twin


@pytest.mark.parametrize(
    "cell", [ElmanCell(D, H), ElmanCell(D, H, activation="relu"), LSTMCell(D, H), GRUCell(D, H)], ids=repr
)
def test_step_equals_torch(cell: DenseCell) -> None:
    randomise(cell)
    x = torch.randn(B, D, dtype=torch.double)
    state = tuple(torch.randn(B, H, dtype=torch.double) for _ in cell.state_shapes)
    expected = torch_twin(cell)(x, state if len(state) > 1 else state[0])
    step = cell.step(cell.project(x), state)
    for found, wanted in zip(step.state, expected if isinstance(expected, tuple) else (expected,), strict=True):
        close(found, wanted)
    close(step.output, step.state[0])


@pytest.mark.parametrize(("activation", "function"), [("logistic", torch.sigmoid), ("identity", lambda x: x)])
def test_elman_activations_torch_does_not_have(activation: str, function: object) -> None:
    cell = ElmanCell(D, H, activation=activation)
    randomise(cell)
    x, h = torch.randn(B, D, dtype=torch.double), torch.randn(B, H, dtype=torch.double)
    close(cell.step(cell.project(x), (h,)).output, function(x @ cell.W.T + h @ cell.U.T + cell.b))


@pytest.mark.parametrize("kind", CELLS)
def test_project_by_columns_adds_up(kind: type[DenseCell]) -> None:
    cell = kind(D, H)
    randomise(cell)
    x = torch.randn(2, 7, D, dtype=torch.double)
    close(cell.project(x[..., :2]) + cell.project(x[..., 2:], start=2), cell.project(x))


@pytest.mark.parametrize("kind", CELLS)
def test_token_ids_stand_for_one_hot_vectors(kind: type[DenseCell]) -> None:
    cell = kind(D, H)
    randomise(cell)
    ids = torch.tensor([[0, 2], [1, 1]])
    close(cell.project(ids), cell.project(nn.functional.one_hot(ids, D).double()))


@pytest.mark.parametrize("kind", CELLS)
def test_bias_can_be_left_out(kind: type[DenseCell]) -> None:
    with_bias, without = kind(D, H), kind(D, H, bias=False)
    randomise(with_bias)
    without.double().load_state_dict({"W": with_bias.W, "U": with_bias.U})
    with torch.no_grad():
        for name, parameter in with_bias.named_parameters():
            if name.startswith("b"):
                parameter.zero_()
    x = torch.randn(B, D, dtype=torch.double)
    state = tuple(torch.randn(B, H, dtype=torch.double) for _ in without.state_shapes)
    close(without.step(without.project(x), state).output, with_bias.step(with_bias.project(x), state).output)


@pytest.mark.parametrize("kind", CELLS)
def test_recurrent_dropout_acts_only_where_h_meets_U(kind: type[DenseCell]) -> None:
    cell = kind(D, H)
    randomise(cell)
    x = torch.randn(B, D, dtype=torch.double)
    state = tuple(torch.randn(B, H, dtype=torch.double) for _ in cell.state_shapes)
    nothing = cell.step(cell.project(x), state, Noise(recurrent=torch.zeros(B, H, dtype=torch.double)))
    no_U = cell.step(cell.project(x), state, Noise(weights={"U": torch.zeros_like(cell.U)}))
    for one, other in zip(nothing.state, no_U.state, strict=True):
        close(one, other)
    plain = cell.step(cell.project(x), state)
    assert (plain.output - nothing.output).abs().max() > 1e-3
    if kind is GRUCell:
        z = nothing.gates["z"]
        close(nothing.output, z * state[0] + (1 - z) * nothing.gates["n"])


def test_gates_of_the_lstm_make_its_state() -> None:
    cell = LSTMCell(D, H)
    randomise(cell)
    h, c = torch.randn(2, B, H, dtype=torch.double)
    step = cell.step(cell.project(torch.randn(B, D, dtype=torch.double)), (h, c))
    gates = step.gates
    close(step.state[1], gates["f"] * c + gates["i"] * gates["g"])
    close(step.state[0], gates["o"] * step.state[1].tanh())


def test_forget_bias_starts_at_one_or_where_told() -> None:
    rows = LSTMCell(D, H).gate_rows()["f"]
    assert torch.equal(LSTMCell(D, H).b[rows], torch.ones(H))
    assert torch.equal(LSTMCell(D, H, forget_bias=3.0).b[rows], torch.full((H,), 3.0))
    assert not torch.equal(LSTMCell(D, H, forget_bias=None).b[rows], torch.ones(H))


def test_unknown_activation_names_the_near_one() -> None:
    with pytest.raises(UserError, match="did you mean logistic"):
        ElmanCell(D, H, activation="logistik")


def test_shared_parts_start_equal_whatever_stands_beside_them() -> None:
    one = nn.ModuleDict({"encoder": ElmanCell(D, H), "head": nn.Linear(H, 2)})
    other = nn.ModuleDict({"extra": nn.Linear(9, 9), "encoder": LSTMCell(D, H), "head": nn.Linear(H, 2)})
    torch.manual_seed(0)
    Initialisation()(one, seed=5)
    torch.manual_seed(1)
    Initialisation()(other, seed=5)
    assert torch.equal(one["head"].weight, other["head"].weight)
    assert not torch.equal(one["head"].weight[:, :3], one["encoder"].W[:2])
    before = one["head"].weight.clone()
    Initialisation()(one, seed=6)
    assert not torch.equal(one["head"].weight, before)


def test_initialisation_leaves_the_global_random_stream_alone() -> None:
    cell = GRUCell(D, H)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Initialisation("orthogonal")(cell, seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_orthogonal_and_identity_act_gate_by_gate() -> None:
    cell = LSTMCell(D, H)
    Initialisation("orthogonal")(cell, seed=1)
    for block in cell.U.split(H):
        torch.testing.assert_close(block @ block.T, torch.eye(H))
    assert not torch.equal(cell.U[:H], cell.U[H : 2 * H])
    Initialisation("identity", scale=0.5)(cell, seed=1)
    assert torch.equal(cell.U[H : 2 * H], 0.5 * torch.eye(H))
    with pytest.raises(UserError, match="orthogonal"):
        Initialisation("orthogonl")
