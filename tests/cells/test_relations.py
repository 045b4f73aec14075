"""Cells that are one another under another name, or with a part taken out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell
from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.jordan import JordanCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.minimal_gated import MinimalGatedCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell
from lightning_seq.cells.update_gate import UpdateGateCell
from lightning_seq.conformance.layers import close, example, randomise
from lightning_seq.errors import UserError
from lightning_seq.layers.recurrent import Recurrent

D, H = 3, 4
SHUT, OPEN = -1e4, 1e4


def same(one: Cell, other: Cell, lengths: tuple[int, ...] = (5, 3, 0)) -> None:
    """Equal outputs and final state from the same inputs and state."""
    x, mask, state = example(one, list(lengths))
    found, expected = Recurrent(one)(x, mask, state), Recurrent(other)(x, mask, state)
    for mine, theirs in zip((found[0], *found[1]), (expected[0], *expected[1]), strict=True):
        close(mine, theirs)


def shared(make: Callable[[], Cell], other: Cell, **replaced: Tensor) -> Cell:
    """A cell with the other's weights as far as they have the same names, and `replaced` for the rest."""
    cell = make()
    randomise(cell, 5)
    weights = {**dict(cell.named_parameters()), **dict(other.named_parameters()), **replaced}
    cell.load_state_dict({name: weights[name].detach() for name in cell.state_dict()})
    return cell


def random(kind: Callable[..., Cell], *given: object, **options: object) -> Cell:
    cell = kind(*(given or (D, H)), **options)
    randomise(cell)
    return cell


@pytest.mark.parametrize("full", [False, True])
def test_peepholes_of_zero_leave_the_lstm(full: bool) -> None:
    lstm = random(LSTMCell)
    p = torch.zeros(3 * H if full else 3, H)
    same(shared(lambda: PeepholeLSTMCell(D, H, peephole="full" if full else "diagonal"), lstm, p=p), lstm)


def test_full_peepholes_of_diagonals_are_the_diagonal_ones() -> None:
    diagonal = random(PeepholeLSTMCell)
    p = torch.cat([torch.diag(row) for row in diagonal.get_parameter("p").detach()])
    same(shared(lambda: PeepholeLSTMCell(D, H, peephole="full"), diagonal, p=p), diagonal)


def test_greff_with_every_switch_off_is_the_peephole_lstm() -> None:
    peephole = random(PeepholeLSTMCell)
    same(shared(lambda: GreffLSTMCell(D, H), peephole), peephole)


def test_greff_without_peepholes_is_the_lstm() -> None:
    lstm = random(LSTMCell)
    same(shared(lambda: GreffLSTMCell(D, H, peepholes=False), lstm), lstm)


def test_coupled_gates_are_an_explicit_one_minus_i() -> None:
    """σ(-a) = 1 - σ(a): a forget gate with the input gate's weights mirrored."""
    coupled = random(GreffLSTMCell, coupled=True)
    i, g, o = (coupled.get_parameter("W").split(H), coupled.get_parameter("U").split(H), coupled.b.split(H))
    p_i, p_o = coupled.get_parameter("p")
    full = GreffLSTMCell(D, H)
    full.double().load_state_dict(
        {
            "W": torch.cat([i[0], -i[0], i[1], i[2]]),
            "U": torch.cat([g[0], -g[0], g[1], g[2]]),
            "b": torch.cat([o[0], -o[0], o[1], o[2]]),
            "p": torch.stack([p_i, -p_i, p_o]),
        }
    )
    same(coupled, full)


@pytest.mark.parametrize(("switch", "gate"), [("input_gate", "i"), ("forget_gate", "f"), ("output_gate", "o")])
def test_a_greff_gate_taken_out_is_one_held_open(switch: str, gate: str) -> None:
    without = random(GreffLSTMCell, **{switch: False}, peepholes=False)
    rows = {name: index for index, name in enumerate(without.gates)}
    held = GreffLSTMCell(D, H, peepholes=False)
    blank = {"W": torch.zeros(H, D), "U": torch.zeros(H, H), "b": torch.full((H,), OPEN)}
    held.double().load_state_dict(
        {
            name: torch.cat(
                [blank[name].double() if g == gate else without.get_parameter(name).split(H)[rows[g]] for g in "ifgo"]
            )
            for name in blank
        }
    )
    same(without, held)


def test_full_gate_recurrence_of_zero_changes_nothing() -> None:
    plain = random(GreffLSTMCell)
    full = shared(lambda: GreffLSTMCell(D, H, full_gate_recurrence=True), plain, U_gates=torch.zeros(3 * H, 3 * H))
    x, mask, state = example(full, [5, 3])
    close(Recurrent(full)(x, mask, state)[0], Recurrent(plain)(x, mask, state[:2])[0])


@pytest.mark.parametrize("space", [(1,), (1, 1)])
@pytest.mark.parametrize("peepholes", [False, True])
def test_a_convolution_over_one_place_is_an_lstm(space: tuple[int, ...], peepholes: bool) -> None:
    dense = random(PeepholeLSTMCell if peepholes else LSTMCell)
    ones = (1,) * len(space)
    weights = {"W": dense.get_parameter("W").reshape(4 * H, D, *ones)}
    weights["U"] = dense.get_parameter("U").reshape(4 * H, H, *ones)
    if peepholes:
        weights["p"] = dense.get_parameter("p").reshape(3, H, *ones)
    maps = shared(lambda: ConvLSTMCell(D, H, space, kernel_size=1, peepholes=peepholes), dense, **weights)
    x, mask, state = example(dense, [4, 2])
    grown = Recurrent(maps)(x.reshape(*x.shape, *ones), mask, tuple(s.reshape(*s.shape, *ones) for s in state))
    flat = Recurrent(dense)(x, mask, state)
    close(grown[0].flatten(2), flat[0])
    close(grown[1][1].flatten(1), flat[1][1])


def test_a_gru_whose_reset_gate_is_held_open_is_the_update_gate_network() -> None:
    update = random(UpdateGateCell)
    (W_z, W_n), (U_z, U_n) = update.get_parameter("W").split(H), update.get_parameter("U").split(H)
    weights = {"W": torch.cat([torch.zeros(H, D).double(), W_z, W_n])}
    weights["U"] = torch.cat([torch.zeros(H, H).double(), U_z, U_n])
    for kind, more in ((GRUResetBeforeCell, {}), (GRUCell, {"b_n": torch.zeros(H)})):
        same(shared(lambda kind=kind: kind(D, H, bias={"r": OPEN}), update, **weights, **more), update)


def test_the_minimal_gated_unit_is_a_gru_whose_gates_are_tied() -> None:
    """One gate resets, and its mirror keeps: f = r = 1 - z."""
    minimal = random(MinimalGatedCell)
    weights = {}
    for name in ("W", "U", "b"):
        f, n = minimal.get_parameter(name).split(H)
        weights[name] = torch.cat([f, -f, n])
    same(shared(lambda: GRUResetBeforeCell(D, H), minimal, **weights), minimal)


@pytest.mark.parametrize("kind", [GRUCell, GRUResetBeforeCell])
def test_keeping_with_one_minus_z_is_the_same_network_relabelled(kind: type[GRUCell]) -> None:
    """Chung et al. 2014 write h_t = (1 - z) h_{t-1} + z n: z's weights with the other sign."""
    gru = random(kind)
    x, _, (h,) = example(gru, [6, 6])
    W, U, b = (gru.get_parameter(name).split(H) for name in ("W", "U", "b"))
    b_n = gru.b_n if isinstance(gru, GRUCell) else 0.0
    outputs = Recurrent(gru)(x, None, (h,))[0]
    for t in range(6):
        r = torch.sigmoid(x[:, t] @ W[0].T + h @ U[0].T + b[0])
        z_chung = torch.sigmoid(x[:, t] @ -W[1].T + h @ -U[1].T - b[1])
        inner = r * (h @ U[2].T + b_n) if isinstance(gru, GRUCell) else (r * h) @ U[2].T
        n = torch.tanh(x[:, t] @ W[2].T + b[2] + inner)
        h = (1 - z_chung) * h + z_chung * n
        close(outputs[:, t], h)


def test_a_projection_of_the_identity_leaves_the_lstm() -> None:
    lstm = random(LSTMCell)
    same(shared(lambda: ProjectedLSTMCell(D, H, H), lstm, R=torch.eye(H)), lstm)


def test_jordan_without_a_hidden_layer_feeds_its_only_state_back() -> None:
    same(random(JordanCell, D, H, hidden_layers=0), random(ElmanCell))


def test_jordan_as_one_feed_forward_net_per_step() -> None:
    """4 inputs, 3 outputs: o_t = tanh([U, W] · [o_{t-1}, x_t] + b)."""
    cell = random(JordanCell, 4, 3, hidden_layers=0)
    net = nn.Linear(3 + 4, 3).double()
    net.load_state_dict({"weight": torch.cat([cell.U, cell.W], 1).detach(), "bias": cell.b.detach()})
    x, _, (o,) = example(cell, [5, 5])
    outputs = Recurrent(cell)(x, None, (o,))[0]
    for t in range(5):
        o = torch.tanh(net(torch.cat([o, x[:, t]], -1)))
        close(outputs[:, t], o)


def test_jordan_unrolled_is_a_deep_net_with_tied_weights() -> None:
    cell = random(JordanCell, 4, 5, output_size=3)
    x, _, (y,) = example(cell, [4, 4])
    deep = nn.ModuleList()
    for _ in range(4):  # each layer a copy, then tied by loading the same weights
        hidden, output = nn.Linear(3 + 4, 5).double(), nn.Linear(5, 3).double()
        hidden.load_state_dict({"weight": torch.cat([cell.U, cell.W], 1).detach(), "bias": cell.b.detach()})
        output.load_state_dict({"weight": cell.V[0].detach(), "bias": cell.c[0].detach()})
        deep.append(nn.ModuleList([hidden, output]))
    outputs = Recurrent(cell)(x, None, (y,))[0]
    for t, (hidden, output) in enumerate(deep):
        y = torch.tanh(output(torch.tanh(hidden(torch.cat([y, x[:, t]], -1)))))
        close(outputs[:, t], y)
    weight = next(iter(cell.parameters()))
    outputs[:, -1].sum().backward()
    y.sum().backward()
    tied = sum(hidden.weight.grad[:, :3] for hidden, _ in deep)
    close(cell.U.grad, tied)
    assert weight.grad is not None


def test_an_lstm_with_its_gates_held_keeps_its_memory_for_a_thousand_steps() -> None:
    """f = 1 and i = 0: c is constant, and dc_T/dc_0 the identity."""
    cell = random(LSTMCell, D, H, bias={"f": OPEN, "i": SHUT})
    x, _, (h, c) = example(cell, [1000])
    c.requires_grad_()
    _, (_, end) = Recurrent(cell, engine="loop")(x, None, (h, c))
    close(end, c)
    for unit in range(H):
        (gradient,) = torch.autograd.grad(end[0, unit], c, retain_graph=True)
        close(gradient[0], torch.eye(H).double()[unit])


@pytest.mark.parametrize("kind", [ElmanCell, JordanCell, LSTMCell, GRUCell, GRUResetBeforeCell, MinimalGatedCell])
def test_a_frozen_bias_is_no_parameter_and_stays(kind: type[ElmanCell]) -> None:
    gate = kind.gates[0]
    frozen, learned = random(kind, D, H, bias={gate: 0.75}), random(kind)
    assert sum(p.numel() for p in learned.parameters()) - sum(p.numel() for p in frozen.parameters()) == H
    assert torch.equal(frozen.bias()[frozen.gate_rows()[gate]], torch.full((H,), 0.75).double())
    with pytest.raises(UserError, match="this cell has no such gate"):
        kind(D, H, bias={"y": 1.0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GreffLSTMCell(D, H, coupled=True, forget_gate=False), "coupled=true needs both"),
        (lambda: JordanCell(D, H, output_size=2, hidden_layers=0), "without a hidden layer"),
        (lambda: JordanCell(D, H, hidden_layers=-1), "at least 0"),
        (lambda: JordanCell(D, H, output_activation="thanh"), "did you mean tanh"),
        (lambda: PeepholeLSTMCell(D, H, peephole="fulll"), "did you mean full"),
        (lambda: ConvLSTMCell(D, H, [3], kernel_size=2), "odd number"),
        (lambda: ConvLSTMCell(D, H, [3, 3, 3]), "height and width"),
        (lambda: ProjectedLSTMCell(D, H, -1), "at least 1"),
        (lambda: ElmanCell(0, H), "input_size is 0"),
    ],
)
def test_what_a_cell_cannot_be(make: Callable[[], Cell], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
