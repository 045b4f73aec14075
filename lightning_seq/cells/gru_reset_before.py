"""Gated recurrent unit, reset gate before the matrix product."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import DenseCell, Noise, State, Step, recurrent_input, recurrent_weight


class GRUResetBeforeCell(DenseCell):
    """Gated recurrent unit, reset gate before the matrix product (Cho et al. 2014, eqs. 5-8).

        r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
        z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
        n_t = tanh(W_n x_t + U_n (r_t ⊙ h_{t-1}) + b_n)
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t

    z keeps the old state.

    State: (h,).
    Gate order: r, z, n.
    Parameters: 3*(D*H + H*H + H).
    Elsewhere: h̃_t for n_t; 1 - z_t for z_t (Chung et al. 2014); u_t, Γ_u for z_t; Γ_r for r_t.
    """

    gates = ("r", "z", "n")
    keeps = ("z", 1)

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        H = self.hidden_size
        h_in, U = recurrent_input(h_prev, noise), recurrent_weight(self.U, noise)
        gates = projected_t[..., : 2 * H] + functional.linear(h_in, U[: 2 * H])
        r_t, z_t = torch.sigmoid(gates).chunk(2, dim=-1)
        n_t = torch.tanh(projected_t[..., 2 * H :] + functional.linear(r_t * h_in, U[2 * H :]))
        h_t = z_t * h_prev + (1 - z_t) * n_t
        return Step(h_t, (h_t,), {"r": r_t, "z": z_t, "n": n_t})
