"""Jordan's network: its output is its state."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.activation import ACTIVATIONS, Activation
from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step
from lightning_seq.errors import UserError, one_of
from lightning_seq.value_types import Count, Size


class JordanCell(DenseCell):
    """Jordan's network (Jordan 1986, "Serial order"), which feeds back its output.

        h_t = φ(W x_t + U y_{t-1} + b)
        y_t = ψ(V h_t + c)

    With `hidden_layers=0` the output is y_t = h_t; with more than one, layers h^k_t = φ(V^k h^{k-1}_t + c^k) come
    between the two lines. φ is `activation`, ψ `output_activation`.

    State: (y,).
    Gate order: h.
    Parameters: D*H + O*H + H + H*O + O.
    Elsewhere: o_t for y_t; W for U; U for W.

    output_size: O, the size of y; None for H.
    """

    gates = ("h",)
    resets_submodules = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: Size | None = None,
        hidden_layers: Count = 1,
        activation: Activation = "tanh",
        output_activation: Activation = "tanh",
        bias: Bias = True,
    ) -> None:
        if hidden_layers < 0:
            raise UserError(f"hidden_layers is {hidden_layers}, expected at least 0")
        if hidden_layers == 0 and output_size not in (None, hidden_size):
            raise UserError(
                f"output_size is {output_size} and hidden_size {hidden_size}: without a hidden layer they are the same"
            )
        self.hidden_layers = hidden_layers
        self.activation = one_of("activation", activation, ACTIVATIONS)
        self.output_activation = one_of("output_activation", output_activation, ACTIVATIONS)
        super().__init__(input_size, hidden_size, bias, recurrent_size=output_size)
        sizes = [hidden_size] * hidden_layers + list(self.output_shape)
        above = list(pairwise(sizes))
        self.V = nn.ParameterList(torch.empty(to, of) for of, to in above)
        self.c = nn.ParameterList(torch.empty(to) for _, to in above) if bias is not False else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        if hasattr(self, "V"):
            for parameter in (*self.V, *(self.c or ())):
                nn.init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def step(self, projected_t: Float[Tensor, "B H"], state: State, noise: Noise | None = None) -> Step:
        (y_prev,) = state
        φ, ψ = ACTIVATIONS[self.activation], ACTIVATIONS[self.output_activation]
        y_t = φ(projected_t + self.recurrent_product(y_prev, noise))
        for layer, V in enumerate(self.V, start=1):
            c = None if self.c is None else self.c[layer - 1]
            squash = ψ if layer == self.hidden_layers else φ
            y_t = squash(functional.linear(y_t, V, c))
        return Step(y_t, (y_t,), {})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output_size={self.output_shape[0]}, hidden_layers={self.hidden_layers}"
