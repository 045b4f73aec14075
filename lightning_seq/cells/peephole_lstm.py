"""LSTM whose gates see the cell state c."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step, recurrent_weight
from lightning_seq.errors import one_of
from lightning_seq.value_types import OneOf

PEEPHOLES = ("diagonal", "full")


class PeepholeLSTMCell(DenseCell):
    """LSTM with peephole connections (Gers & Schmidhuber 2000): i and f see c_{t-1}, o sees c_t.

        i_t = σ(W_i x_t + U_i h_{t-1} + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + p_f ⊙ c_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        o_t = σ(W_o x_t + U_o h_{t-1} + p_o ⊙ c_t + b_o)
        h_t = o_t ⊙ tanh(c_t)

    State: (h, c).
    Gate order: i, f, g, o; peepholes i, f, o.
    Parameters: 4*(D*H + H*H + H) + 3*H.
    Elsewhere: w_ci, W_ci, P_i for p_i; V_i for p_i as a diagonal matrix.

    peephole:    `diagonal`, p `[3, H]`; or `full`, matrices P `[3H, H]` instead of p: each gate then sees
                 [c; h; x] concatenated, 3*H*H parameters instead of 3*H.
    forget_bias: initial value of b_f.
    """

    gates = ("i", "f", "g", "o")
    keeps = ("f", 1)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: Bias = True,
        forget_bias: float | None = 1.0,
        peephole: Annotated[str, OneOf(PEEPHOLES)] = "diagonal",
    ) -> None:
        one_of("peephole", peephole, PEEPHOLES)
        self.forget_bias = forget_bias
        super().__init__(input_size, hidden_size, bias, state_tensors=2)
        H = hidden_size
        self.p = nn.Parameter(torch.empty(3, H) if peephole == "diagonal" else torch.empty(3 * H, H))
        self.full = peephole == "full"
        self.reset_parameters()

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U, "p": self.p} if self.full else {"U": self.U}

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        h_prev, c_prev = state
        i, f, g, o = (projected_t + self.recurrent_product(h_prev, noise)).chunk(4, dim=-1)
        p_i, p_f, p_o = recurrent_weight(self.p, noise, "p").chunk(3)
        i_t = torch.sigmoid(i + self._sees(p_i, c_prev))
        f_t = torch.sigmoid(f + self._sees(p_f, c_prev))
        g_t = torch.tanh(g)
        c_t = f_t * c_prev + i_t * g_t
        o_t = torch.sigmoid(o + self._sees(p_o, c_t))
        h_t = o_t * torch.tanh(c_t)
        return Step(h_t, (h_t, c_t), {"i": i_t, "f": f_t, "g": g_t, "o": o_t})

    def _sees(self, p: Tensor, c: Tensor) -> Tensor:
        return functional.linear(c, p) if self.full else p * c

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, peephole={'full' if self.full else 'diagonal'!r}"
