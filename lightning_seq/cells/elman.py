"""Elman's simple recurrent network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import DenseCell, Noise, State, Step, recurrent_input, recurrent_weight
from lightning_seq.errors import UserError, near


def identity(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "logistic": torch.sigmoid,
    "identity": identity,
}


class ElmanCell(DenseCell):
    """Simple recurrent network (Elman 1990, "Finding structure in time").

        h_t = φ(W x_t + U h_{t-1} + b)

    φ (`activation`) is tanh, relu, logistic or identity. W `[H, D]`, U `[H, H]`, b `[H]`; state (h,).
    """

    gates = ("h",)

    def __init__(self, input_size: int, hidden_size: int, activation: str = "tanh", bias: bool = True) -> None:
        if activation not in ACTIVATIONS:
            raise UserError(f"activation {activation!r} is unknown: {near(activation, ACTIVATIONS)}")
        super().__init__(input_size, hidden_size, bias=bias)
        self.activation = activation

    def step(self, projected_t: Float[Tensor, "B H"], state: State, noise: Noise | None = None) -> Step:
        (h_prev,) = state
        φ = ACTIVATIONS[self.activation]
        h_t = φ(projected_t + functional.linear(recurrent_input(h_prev, noise), recurrent_weight(self.U, noise)))
        return Step(h_t, (h_t,), {})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, activation={self.activation!r}"
