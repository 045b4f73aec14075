"""The Jacobian of one step of a recurrence, its parts, and the bound from theory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, autograd

from lightning_seq.cells.cell import Cell, State, Step
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.elman import ElmanCell

STEEPEST = {"tanh": 1.0, "relu": 1.0, "identity": 1.0, "logistic": 0.25}
"""γ_g, the steepest slope of an activation, by its name in `cells/activation.py`."""


def jacobian(of: Float[Tensor, "N *of"], by: Float[Tensor, "N *by"]) -> Float[Tensor, "N J K"]:
    """∂of/∂by of each row, flattened, exact, by the graph of `of`; no row may depend on another."""
    flat = of.reshape(len(of), -1)
    N, J = flat.shape
    gradient = None
    if flat.requires_grad:
        units = torch.eye(J, dtype=flat.dtype, device=flat.device)[:, None].expand(J, N, J)
        (gradient,) = autograd.grad(flat, by, units, retain_graph=True, allow_unused=True, is_grads_batched=True)
    if gradient is None:
        return flat.new_zeros(N, J, by[:1].numel())
    return gradient.reshape(J, N, -1).transpose(0, 1)


def blocks(of: Sequence[Tensor], by: Sequence[Tensor]) -> list[list[Tensor]]:
    """`jacobian` of every pair: of a step of an LSTM [[∂h_t/∂h, ∂h_t/∂c], [∂c_t/∂h, ∂c_t/∂c]]."""
    return [[jacobian(one, other) for other in by] for one in of]


def joined(parts: Sequence[Sequence[Tensor]]) -> Float[Tensor, "N J K"]:
    """Blocks as one matrix: ∂s_t/∂s_{t-1} of the whole state."""
    return torch.cat([torch.cat(list(row), 2) for row in parts], 1)


def spectral_norm(matrices: Float[Tensor, "*N J K"]) -> Float[Tensor, "*N"]:
    """The largest singular value, in double, from the eigenvalues of MᵀM: as exact, in half the time."""
    M = matrices.detach().double()
    narrow = M if M.shape[-1] <= M.shape[-2] else M.mT
    return torch.linalg.eigvalsh(narrow.mT @ narrow)[..., -1].clamp(min=0).sqrt()


def leaf(state: State) -> State:
    """The same numbers as leaves of a new graph; real ones get gradients."""
    return tuple(tensor.detach().requires_grad_(tensor.is_floating_point()) for tensor in state)


def memory_terms(cell: Cell, before: Step, step: Step) -> dict[str, Float[Tensor, "N H H"]] | None:
    """The four terms of ∂c_t/∂c_{t-1} of an LSTM, which sum to it; None for a cell without such a memory.

        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t,   h_{t-1} = o_{t-1} ⊙ tanh(c_{t-1})

        kept: diag(f_t)
        f:    diag(c_{t-1}) ∂f_t/∂c_{t-1}
        i:    diag(g_t) ∂i_t/∂c_{t-1}
        g:    diag(i_t) ∂g_t/∂c_{t-1}

    The gates see c_{t-1} through h_{t-1} (and through peepholes): for an LSTM ∂f_t/∂c_{t-1} is
    diag(f_t ⊙ (1 - f_t)) U_f diag(o_{t-1} ⊙ (1 - tanh²(c_{t-1}))).

    before, step: two consecutive steps in one graph.
    """
    if len(before.state) < 2 or not {"f", "i", "g"} <= step.gates.keys():
        return None
    c_prev, c_t = before.state[1], step.state[1]
    f_t, i_t, g_t = (step.gates[name] for name in ("f", "i", "g"))
    if c_t.shape != f_t.shape or c_t.dtype != f_t.dtype:
        return None
    if not torch.allclose(f_t * c_prev + i_t * g_t, c_t, rtol=1e-4, atol=1e-6, equal_nan=True):
        return None
    return {
        "kept": torch.diag_embed(f_t),
        "f": c_prev[..., None] * jacobian(f_t, c_prev),
        "i": g_t[..., None] * jacobian(i_t, c_prev),
        "g": i_t[..., None] * jacobian(g_t, c_prev),
    }


def matrices(cell: Cell) -> dict[str, Float[Tensor, "rows columns"]]:
    """The recurrent matrices of each gate, by name: `U_f` of an LSTM, `U` of a cell with one; no convolutions."""
    rows, named = cell.gate_rows(), dict[str, Tensor]()
    size = max((part.stop for part in rows.values()), default=0)
    for name, weight in cell.recurrent_weights().items():
        if weight.dim() == 2 and len(rows) > 1 and len(weight) == size:
            named |= {f"{name}_{gate}": weight[part].detach() for gate, part in rows.items()}
        elif weight.dim() == 2:
            named[name] = weight.detach()
    return named


def spectral_radius(matrix: Float[Tensor, "rows columns"]) -> float | None:
    """The greatest absolute value of an eigenvalue; None if the matrix is not square or not finite."""
    if matrix.shape[0] != matrix.shape[1] or not bool(matrix.isfinite().all()):
        return None
    return float(torch.linalg.eigvals(matrix.detach().double()).abs().max())


def steepest_slope(cell: Cell) -> float | None:
    """γ_g if h_t = φ(… + U h_{t-1}): 1 for tanh, 1/4 for the logistic; None for other cells and for subclasses."""
    return STEEPEST[str(cell.activation)] if type(cell) in (ElmanCell, CombinedCell) else None


def bound(cell: Cell) -> float | None:
    """γ_w γ_g, the largest factor by which one step can stretch a gradient.

    γ_w is the largest singular value of U (Pascanu, Mikolov & Bengio 2013, section 2.1). None for cells without a
    `steepest_slope`, and if U is not finite.
    """
    slope = steepest_slope(cell)
    if slope is None:
        return None
    (U,) = cell.recurrent_weights().values()
    return slope * float(spectral_norm(U)) if bool(U.isfinite().all()) else None
