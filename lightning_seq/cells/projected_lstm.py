"""LSTM whose output is projected to a smaller size."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step
from lightning_seq.value_types import Size


class ProjectedLSTMCell(DenseCell):
    """LSTM with a recurrent projection (Sak, Senior & Beaufays 2014, eq. 6), as torch's `proj_size`.

        i_t = σ(W_i x_t + U_i r_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f r_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g r_{t-1} + b_g)
        o_t = σ(W_o x_t + U_o r_{t-1} + b_o)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        r_t = R (o_t ⊙ tanh(c_t))

    State: (r, c).
    Gate order: i, f, g, o.
    Parameters: 4*(D*H + P*H + H) + H*P.
    Elsewhere: m_t for o_t ⊙ tanh(c_t); W_rm, W_hr for R.

    proj_size:   P, the size of r.
    forget_bias: initial value of b_f.
    """

    gates = ("i", "f", "g", "o")
    keeps = ("f", 1)

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: Size, bias: Bias = True, forget_bias: float | None = 1.0
    ) -> None:
        self.forget_bias = forget_bias
        super().__init__(input_size, hidden_size, bias, state_tensors=2, recurrent_size=proj_size)
        self.R = nn.Parameter(torch.empty(proj_size, hidden_size))
        self.reset_parameters()

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        r_prev, c_prev = state
        i, f, g, o = (projected_t + self.recurrent_product(r_prev, noise)).chunk(4, dim=-1)
        i_t = torch.sigmoid(i)
        f_t = torch.sigmoid(f)
        g_t = torch.tanh(g)
        o_t = torch.sigmoid(o)
        c_t = f_t * c_prev + i_t * g_t
        r_t = functional.linear(o_t * torch.tanh(c_t), self.R)
        return Step(r_t, (r_t, c_t), {"i": i_t, "f": f_t, "g": g_t, "o": o_t})
