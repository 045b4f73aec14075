"""Elman's simple recurrent network."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from lightning_seq.cells.activation import ACTIVATIONS, Activation
from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step
from lightning_seq.errors import one_of


class ElmanCell(DenseCell):
    """Simple recurrent network (Elman 1990, "Finding structure in time").

        h_t = φ(W x_t + U h_{t-1} + b)

    φ (`activation`) is tanh, relu, logistic or identity; relu with U started at the identity is the IRNN (Le, Jaitly &
    Hinton 2015).

    State: (h,).
    Gate order: h.
    Parameters: D*H + H*H + H.
    Elsewhere: W_xh, W_ih, U for W; W_hh, W, V for U; s_t, a_t for h_t.
    """

    gates = ("h",)

    def __init__(self, input_size: int, hidden_size: int, activation: Activation = "tanh", bias: Bias = True) -> None:
        self.activation = one_of("activation", activation, ACTIVATIONS)
        super().__init__(input_size, hidden_size, bias)

    def step(self, projected_t: Float[Tensor, "B H"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        φ = ACTIVATIONS[self.activation]
        h_t = φ(projected_t + self.recurrent_product(h_prev, noise))
        return Step(h_t, (h_t,), {})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, activation={self.activation!r}"
