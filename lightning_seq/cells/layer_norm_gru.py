"""GRU with layer normalisation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step, product


class LayerNormGRUCell(DenseCell):
    """GRU with layer normalisation (Ba, Kiros & Hinton 2016, eqs. 23-25), reset gate after the matrix product.

        (r, z) = LN([W_r; W_z] x_t; α_1, β_1) + LN([U_r; U_z] h_{t-1}; α_2, β_2) + (b_r, b_z)
        r_t = σ(r)
        z_t = σ(z)
        n_t = tanh(LN(W_n x_t; α_3, β_3) + b_n + r_t ⊙ LN(U_n h_{t-1}; α_4, β_4))
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t

    z keeps the old state (in the paper 1 - z does).

    State: (h,).
    Gate order: r, z, n.
    Parameters: 3*(D*H + H*H + H) + 12*H.
    Elsewhere: h̃_t, ĥ_t for n_t; g, γ, gain for α; b for β.
    """

    gates = ("r", "z", "n")
    keeps = ("z", 1)
    splits_input = False

    def __init__(self, input_size: int, hidden_size: int, bias: Bias = True) -> None:
        super().__init__(input_size, hidden_size, bias)
        H = hidden_size
        self.norm_x_gates, self.norm_h_gates = nn.LayerNorm(2 * H), nn.LayerNorm(2 * H)
        self.norm_x_n, self.norm_h_n = nn.LayerNorm(H), nn.LayerNorm(H)

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        H, b = self.hidden_size, self.bias()
        projected = product(x, self.W)
        normed = torch.cat([self.norm_x_gates(projected[..., : 2 * H]), self.norm_x_n(projected[..., 2 * H :])], -1)
        return normed if b is None else normed + b

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        H = self.hidden_size
        recurrent = self.recurrent_product(h_prev, noise)
        r, z = (projected_t[..., : 2 * H] + self.norm_h_gates(recurrent[..., : 2 * H])).chunk(2, dim=-1)
        r_t = torch.sigmoid(r)
        z_t = torch.sigmoid(z)
        n_t = torch.tanh(projected_t[..., 2 * H :] + r_t * self.norm_h_n(recurrent[..., 2 * H :]))
        h_t = z_t * h_prev + (1 - z_t) * n_t
        return Step(h_t, (h_t,), {"r": r_t, "z": z_t, "n": n_t})
