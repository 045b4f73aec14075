"""Jacobians of a step against torch's own and against equations; spectra, and the bound of theory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian as reference

from lightning_seq.callbacks.jacobian import (
    blocks,
    bound,
    joined,
    leaf,
    matrices,
    memory_terms,
    spectral_norm,
    spectral_radius,
    steepest_slope,
)
from lightning_seq.cells.cell import Cell, State, Step
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.jordan import JordanCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell

N, D, H = 3, 2, 4


def made(cell: Cell, seed: int = 0) -> tuple[Cell, Tensor, Tensor, State]:
    """A cell with weights that differ, what it makes of two steps' inputs, and a state."""
    torch.manual_seed(seed)
    cell = cell.double()
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    first, second = (cell.project(torch.randn(N, D, dtype=torch.double)).detach() for _ in range(2))
    state = tuple(torch.randn(N, *shape, dtype=torch.double) for shape in cell.state_shapes)
    return cell, first, second, state


@pytest.mark.parametrize("cell", [ElmanCell(D, H), GRUCell(D, H), LSTMCell(D, H), ProjectedLSTMCell(D, H, 3)], ids=repr)
def test_the_blocks_of_a_step(cell: Cell) -> None:
    cell, projected, _, state = made(cell)
    read = leaf(state)
    found = blocks(cell.step(projected, read).state, read)
    for row in range(N):

        def step(*s: Tensor, row: int = row) -> tuple[Tensor, ...]:
            made = cell.step(projected[row : row + 1], tuple(tensor[None] for tensor in s)).state
            return tuple(tensor[0] for tensor in made)

        expected = reference(step, tuple(tensor[row] for tensor in state))
        for line, wanted in zip(found, expected, strict=True):
            for block, each in zip(line, wanted, strict=True):
                torch.testing.assert_close(block[row], each)
    whole = joined(found)
    width = sum(tensor.shape[1] for tensor in state)
    assert whole.shape == (N, width, width)
    torch.testing.assert_close(whole[:, : state[0].shape[1], -state[-1].shape[1] :], found[0][-1])


def two_steps(cell: Cell, first: Tensor, second: Tensor, state: State) -> tuple[Step, Step]:
    before = cell.step(first, leaf(state))
    return before, cell.step(second, before.state)


def test_the_four_terms_by_their_equations() -> None:
    cell, first, second, state = made(LSTMCell(D, H))
    assert isinstance(cell, LSTMCell)
    before, step = two_steps(cell, first, second, state)
    found = memory_terms(cell, before, step)
    assert found is not None
    c = before.state[1]
    seen = torch.diag_embed(before.gates["o"] * (1 - torch.tanh(c) ** 2))
    U = {gate: cell.U[rows] for gate, rows in cell.gate_rows().items()}
    i, f, g = (step.gates[gate] for gate in "ifg")
    torch.testing.assert_close(found["kept"], torch.diag_embed(f))
    torch.testing.assert_close(found["f"], torch.diag_embed(c * f * (1 - f)) @ U["f"] @ seen)
    torch.testing.assert_close(found["i"], torch.diag_embed(g * i * (1 - i)) @ U["i"] @ seen)
    torch.testing.assert_close(found["g"], torch.diag_embed(i * (1 - g**2)) @ U["g"] @ seen)


@pytest.mark.parametrize(
    "cell",
    [LSTMCell(D, H), PeepholeLSTMCell(D, H), LayerNormLSTMCell(D, H), GreffLSTMCell(D, H, coupled=True)],
    ids=repr,
)
def test_the_four_terms_sum_to_the_derivative_of_the_memory(cell: Cell) -> None:
    """h_{t-1} being a function of c_{t-1}, the gates of the step before being given (but for what peepholes see)."""
    cell, first, second, state = made(cell)
    before, step = two_steps(cell, first, second, state)
    found = memory_terms(cell, before, step)
    assert found is not None
    columns = torch.eye(H, dtype=torch.double)
    expected = torch.stack(
        [torch.autograd.grad(step.state[1], before.state[1], row.expand(N, H), retain_graph=True)[0] for row in columns]
    ).transpose(0, 1)
    torch.testing.assert_close(sum(found.values()), expected)
    assert min(float(term.detach().abs().max()) for term in found.values()) > 1e-3


@pytest.mark.parametrize("cell", [ElmanCell(D, H), GRUCell(D, H)], ids=repr)
def test_other_cells_have_no_such_terms(cell: Cell) -> None:
    cell, first, second, state = made(cell)
    assert memory_terms(cell, *two_steps(cell, first, second, state)) is None


def test_spectra() -> None:
    for shape in ((5, 4, 4), (5, 3, 6), (5, 6, 3)):
        made = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        expected = [np.linalg.norm(matrix.double().numpy(), 2) for matrix in made]
        np.testing.assert_allclose(spectral_norm(made).numpy(), expected, rtol=1e-10)
    turn = 0.9 * torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    assert spectral_radius(turn) == pytest.approx(0.9), "complex eigenvalues count by their absolute value"
    assert spectral_radius(torch.tensor([[0.5, 100.0], [0.0, 0.25]])) == pytest.approx(0.5)
    assert spectral_radius(torch.ones(2, 3)) is None
    assert spectral_radius(torch.full((2, 2), float("nan"))) is None


def test_the_matrices_gate_by_gate() -> None:
    cell = LSTMCell(D, H)
    found = matrices(cell)
    assert list(found) == ["U_i", "U_f", "U_g", "U_o"]
    torch.testing.assert_close(found["U_g"], cell.U.detach()[2 * H : 3 * H])
    assert list(matrices(ElmanCell(D, H))) == ["U"]
    assert list(matrices(CombinedCell(H))) == ["B"]
    assert list(matrices(GreffLSTMCell(D, H, full_gate_recurrence=True)))[-1] == "U_gates"


def test_the_bound() -> None:
    for activation, slope in (("tanh", 1.0), ("logistic", 0.25), ("relu", 1.0), ("identity", 1.0)):
        cell = ElmanCell(D, H, activation)
        assert steepest_slope(cell) == slope
        assert bound(cell) == pytest.approx(slope * np.linalg.norm(cell.U.detach().double().numpy(), 2))
    assert bound(CombinedCell(H)) is not None
    for other in (LSTMCell(D, H), GRUCell(D, H), JordanCell(D, H)):
        assert bound(other) is None
    with torch.no_grad():
        cell.U.fill_(float("inf"))
    assert bound(cell) is None
