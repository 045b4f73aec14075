"""LSTM with layer normalisation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step, product


class LayerNormLSTMCell(DenseCell):
    """LSTM with layer normalisation (Ba, Kiros & Hinton 2016, eqs. 20-22).

        (i, f, g, o) = LN(W x_t; α_x, β_x) + LN(U h_{t-1}; α_h, β_h) + b
        i_t = σ(i)
        f_t = σ(f)
        g_t = tanh(g)
        o_t = σ(o)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(LN(c_t; α_c, β_c))

    LN(v; α, β) = α ⊙ (v - mean(v)) / √(var(v) + ε) + β, over all 4H numbers of a product, over the H of c.

    State: (h, c).
    Gate order: i, f, g, o.
    Parameters: 4*(D*H + H*H + H) + 18*H.
    Elsewhere: g, γ, gain for α; b for β.

    forget_bias: initial value of b_f.
    """

    gates = ("i", "f", "g", "o")
    keeps = ("f", 1)
    splits_input = False

    def __init__(self, input_size: int, hidden_size: int, bias: Bias = True, forget_bias: float | None = 1.0) -> None:
        self.forget_bias = forget_bias
        super().__init__(input_size, hidden_size, bias, state_tensors=2)
        self.norm_x, self.norm_h = nn.LayerNorm(4 * hidden_size), nn.LayerNorm(4 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        b = self.bias()
        normed = self.norm_x(product(x, self.W))
        return normed if b is None else normed + b

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        h_prev, c_prev = state
        i, f, g, o = (projected_t + self.norm_h(self.recurrent_product(h_prev, noise))).chunk(4, dim=-1)
        i_t = torch.sigmoid(i)
        f_t = torch.sigmoid(f)
        g_t = torch.tanh(g)
        o_t = torch.sigmoid(o)
        c_t = f_t * c_prev + i_t * g_t
        h_t = o_t * torch.tanh(self.norm_c(c_t))
        return Step(h_t, (h_t, c_t), {"i": i_t, "f": f_t, "g": g_t, "o": o_t})
