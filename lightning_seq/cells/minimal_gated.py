"""The minimal gated unit."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import DenseCell, Noise, State, Step, recurrent_input, recurrent_weight


class MinimalGatedCell(DenseCell):
    """Minimal gated unit (Zhou et al. 2016, table 1d): one gate forgets, resets and updates.

        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)
        n_t = tanh(W_n x_t + U_n (f_t ⊙ h_{t-1}) + b_n)
        h_t = (1 - f_t) ⊙ h_{t-1} + f_t ⊙ n_t

    An open f replaces the old state, a shut one keeps it.

    State: (h,).
    Gate order: f, n.
    Parameters: 2*(D*H + H*H + H).
    Elsewhere: h̃_t for n_t.
    """

    gates = ("f", "n")
    keeps = ("f", -1)

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        H = self.hidden_size
        h_in, U = recurrent_input(h_prev, noise), recurrent_weight(self.U, noise)
        f_t = torch.sigmoid(projected_t[..., :H] + functional.linear(h_in, U[:H]))
        n_t = torch.tanh(projected_t[..., H:] + functional.linear(f_t * h_in, U[H:]))
        h_t = (1 - f_t) * h_prev + f_t * n_t
        return Step(h_t, (h_t,), {"f": f_t, "n": n_t})
