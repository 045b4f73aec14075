"""Long short-term memory with a forget gate."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step


class LSTMCell(DenseCell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gate (Gers, Schmidhuber & Cummins 2000).

        i_t = σ(W_i x_t + U_i h_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        o_t = σ(W_o x_t + U_o h_{t-1} + b_o)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)

    State: (h, c).
    Gate order: i, f, g, o.
    Parameters: 4*(D*H + H*H + H).
    Elsewhere: c̃_t, z_t, j_t for g_t; W_xi, W_ii for W_i; W_hi, R_i for U_i; s_t for c_t; y_t for h_t; Γ_u, Γ_f, Γ_o
    for i, f, o.

    forget_bias: initial value of b_f (Jozefowicz et al. 2015 recommend 1); None: as the other biases.
    """

    gates = ("i", "f", "g", "o")
    keeps = ("f", 1)

    def __init__(self, input_size: int, hidden_size: int, bias: Bias = True, forget_bias: float | None = 1.0) -> None:
        self.forget_bias = forget_bias
        super().__init__(input_size, hidden_size, bias, state_tensors=2)

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        h_prev, c_prev = state
        i, f, g, o = (projected_t + self.recurrent_product(h_prev, noise)).chunk(4, dim=-1)
        i_t = torch.sigmoid(i)
        f_t = torch.sigmoid(f)
        g_t = torch.tanh(g)
        o_t = torch.sigmoid(o)
        c_t = f_t * c_prev + i_t * g_t
        h_t = o_t * torch.tanh(c_t)
        return Step(h_t, (h_t, c_t), {"i": i_t, "f": f_t, "g": g_t, "o": o_t})
