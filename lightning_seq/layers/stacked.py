"""Layers on layers."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.cell import State
from lightning_seq.cells.elman import ACTIVATIONS
from lightning_seq.errors import UserError, near
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.recurrent import Recurrent

LayerState = tuple[State, ...]


class Stacked(nn.Module):
    """Recurrent or bidirectional layers, each reading the outputs of the one below (El Hihi & Bengio 1996).

    layers:     from the input up.
    dropout:    for each step between two layers, the probability to drop an output (one number, or L - 1 of them).
    activation: for each step between two layers, a function over the outputs (one name, or L - 1 of them).
    """

    def __init__(
        self,
        layers: Sequence[Recurrent | Bidirectional],
        dropout: float | Sequence[float] = 0.0,
        activation: str | Sequence[str] = "identity",
    ) -> None:
        super().__init__()
        if not layers:
            raise UserError("a stack needs at least one layer, 0 came: give num_layers or a list of sizes")
        self.layers = nn.ModuleList(layers)
        between = len(layers) - 1
        rates = [dropout] * between if isinstance(dropout, int | float) else list(dropout)
        names = [activation] * between if isinstance(activation, str) else list(activation)
        for key, values in (("dropout", rates), ("activation", names)):
            if len(values) != between:
                raise UserError(f"{key} has {len(values)} values, expected {between}: one between each two layers")
        for name in names:
            if name not in ACTIVATIONS:
                raise UserError(f"activation {name!r} is unknown: {near(name, ACTIVATIONS)}")
        for rate in rates:
            if not 0 <= rate < 1:
                raise UserError(f"dropout is {rate}, expected at least 0 and less than 1")
        self.dropouts = nn.ModuleList(nn.Dropout(rate) for rate in rates)
        self.activations = names

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size  # type: ignore[return-value]

    def forward(
        self,
        x: Shaped[Tensor, "B T *input"],
        mask: Bool[Tensor, "B T"] | None = None,
        state: tuple[LayerState, ...] | None = None,
    ) -> tuple[Tensor, tuple[LayerState, ...]]:
        """Outputs of the top layer `[B, T, D]`, and for each layer its directions' final states."""
        states: list[LayerState] = []
        for index, layer in enumerate(self.layers):
            if index:
                x = self.dropouts[index - 1](ACTIVATIONS[self.activations[index - 1]](x))
            if isinstance(layer, Recurrent):
                x, final = layer(x, mask, None if state is None else state[index][0])
                states.append((final,))
            else:
                x, both = layer(x, mask, None if state is None else state[index])
                states.append(both)
        return x, tuple(states)
