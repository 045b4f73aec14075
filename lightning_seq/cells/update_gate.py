"""A recurrent network whose only gate is an update gate."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_seq.cells.cell import DenseCell, Noise, State, Step


class UpdateGateCell(DenseCell):
    """Update-gate recurrent network: the GRU without its reset gate (Collins et al. 2017, "UGRNN", eqs. 6-8).

        z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
        n_t = tanh(W_n x_t + U_n h_{t-1} + b_n)
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t

    State: (h,).
    Gate order: z, n.
    Parameters: 2*(D*H + H*H + H).
    Elsewhere: g_t for z_t; c_t, h̃_t for n_t.
    """

    gates = ("z", "n")
    keeps = ("z", 1)

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        z, n = (projected_t + self.recurrent_product(h_prev, noise)).chunk(2, dim=-1)
        z_t = torch.sigmoid(z)
        n_t = torch.tanh(n)
        h_t = z_t * h_prev + (1 - z_t) * n_t
        return Step(h_t, (h_t,), {"z": z_t, "n": n_t})
