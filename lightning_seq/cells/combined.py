"""The combined layer of a C-BRNN, which joins its two directions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.activation import ACTIVATIONS
from lightning_seq.cells.cell import Cell, Noise, State, Step, recurrent_input, recurrent_weight
from lightning_seq.errors import at_least_one, one_of


class CombinedCell(Cell):
    """The combined layer of a connectionist bidirectional RNN (Vu et al. 2016, eq. 8).

        h_t = φ(x_t + B h_{t-1})

    x_t is the sum of the forward and the backward state, `[H]`; B `[H, H]`; φ is `activation`.

    State: (h,).
    Parameters: H*H.
    Elsewhere: h^bi_t for h_t; U_bi for B.
    """

    splits_input = False
    takes_ids = False

    def __init__(self, hidden_size: int, activation: str = "tanh") -> None:
        super().__init__()
        self.activation = one_of("activation", activation, ACTIVATIONS)
        self.hidden_size = at_least_one("hidden_size", hidden_size)
        self.input_shape = self.projected_shape = self.output_shape = (hidden_size,)
        self.state_shapes = ((hidden_size,),)
        self.B = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.B, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"B": self.B}

    def project(self, x: Float[Tensor, "*lead H"], start: int = 0) -> Float[Tensor, "*lead H"]:
        return x

    def step(self, projected_t: Float[Tensor, "B H"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        φ = ACTIVATIONS[self.activation]
        B = recurrent_weight(self.B, noise, "B")
        h_t = φ(projected_t + functional.linear(recurrent_input(h_prev, noise), B))
        return Step(h_t, (h_t,), {})
