"""Gated recurrent unit, reset gate after the matrix product."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step


class GRUCell(DenseCell):
    """Gated recurrent unit (Cho et al. 2014), reset gate after the matrix product, as cuDNN and torch have it.

        r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
        z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
        n_t = tanh(W_n x_t + b_in + r_t ⊙ (U_n h_{t-1} + b_n))
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t

    b holds b_r, b_z, b_in; b_n `[H]` is inside the reset product. z keeps the old state.

    State: (h,).
    Gate order: r, z, n.
    Parameters: 3*(D*H + H*H + H) + H.
    Elsewhere: h̃_t for n_t; 1 - z_t for z_t (Chung et al. 2014); u_t, Γ_u for z_t; b_hn for b_n.
    """

    gates = ("r", "z", "n")
    keeps = ("z", 1)

    def __init__(self, input_size: int, hidden_size: int, bias: Bias = True) -> None:
        super().__init__(input_size, hidden_size, bias)
        self.b_n = None if bias is False or "n" in self.frozen else nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        H = self.hidden_size
        recurrent = self.recurrent_product(h_prev, noise)
        r_t, z_t = torch.sigmoid(projected_t[..., : 2 * H] + recurrent[..., : 2 * H]).chunk(2, dim=-1)
        inner = recurrent[..., 2 * H :] if self.b_n is None else recurrent[..., 2 * H :] + self.b_n
        n_t = torch.tanh(projected_t[..., 2 * H :] + r_t * inner)
        h_t = z_t * h_prev + (1 - z_t) * n_t
        return Step(h_t, (h_t,), {"r": r_t, "z": z_t, "n": n_t})
