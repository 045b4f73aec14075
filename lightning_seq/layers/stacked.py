"""Stacked layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.activation import ACTIVATIONS
from lightning_seq.cells.cell import Cell
from lightning_seq.engines.engine import Run
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.layers.dropout import check_rate
from lightning_seq.layers.dropout import dropout as make_dropout
from lightning_seq.layers.recurrent import LayerState, Recurrent

Layer = Recurrent | Bidirectional | CBRNN


def check_heights(layers: Sequence[Layer | Cell]) -> None:
    """Raises UserError unless the input shape of each layer is the output shape of the layer below."""
    for height, (below, above) in enumerate(pairwise(layers), start=2):
        if below.output_shape != above.input_shape:
            raise UserError(
                f"layer {height} of a stack reads {list(above.input_shape)}, and the layer below gives "
                f"{list(below.output_shape)}: make them equal"
            )


def pairs(x: Shaped[Tensor, "B T D"]) -> Shaped[Tensor, "B S W"]:
    """Each two neighbouring steps as one of 2 D numbers; zeros for a missing one."""
    x = nn.functional.pad(x, (0, 0, 0, x.shape[1] % 2))
    return x.reshape(len(x), x.shape[1] // 2, 2 * x.shape[2])


class Stacked(nn.Module):
    """Layers, each of which reads the outputs of the layer below (El Hihi & Bengio 1996).

        h^l_t = f^l(h^{l-1}_t, h^l_{t-1}),  h^0_t = x_t

    Parameters: the sum over the layers.

    layers:     from the input up.
    dropout:    between layers, the probability to drop an output (one number, or L - 1 of them).
    activation: between layers, a function of the outputs (one name, or L - 1 of them).
    residual:   add each layer's input to its output, from the second layer on (Wu et al. 2016, eq. 6).
    layer_norm: normalise each layer's output (Ba et al. 2016), before the residual is added.
    locked:     dropout with one mask for all steps of a sequence.
    pyramid:    from the second layer on, a layer reads pairs of neighbouring outputs as one step (Chan et al. 2016, eq.
                5); the outputs have ⌈T / 2^(L-1)⌉ steps.

    Raises UserError for values that do not fit the number of layers, for layers whose sizes do not fit, and for a
    residual over layers of different widths.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        dropout: float | Sequence[float] = 0.0,
        activation: str | Sequence[str] = "identity",
        residual: bool = False,
        layer_norm: bool = False,
        locked: bool = False,
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        if not layers:
            raise UserError("a stack needs at least one layer, 0 came: give num_layers or a list of sizes")
        if pyramid and residual:
            raise UserError("model.pyramid=true halves the steps of a layer, and residual=true adds layers: give one")
        self.pyramid = pyramid
        if not pyramid:
            check_heights(layers)
        self.layers = nn.ModuleList(layers)
        between = len(layers) - 1
        if isinstance(dropout, int | float):
            dropout = [check_rate("dropout", dropout)] * between  # checked for one layer too
        if isinstance(activation, str):
            activation = [one_of("activation", activation, ACTIVATIONS)] * between
        rates, names = list(dropout), list(activation)
        for key, values in (("dropout", rates), ("activation", names)):
            if len(values) != between:
                raise UserError(f"{key} has {len(values)} values, expected {between}: one between each two layers")
        widths = [layer.output_size for layer in layers]
        if residual and len(set(widths)) > 1:
            raise UserError(f"residual=true adds layers of widths {widths}, expected one width: give one hidden_size")
        self.dropouts = nn.ModuleList(make_dropout(rate, locked) for rate in rates)
        self.activations = [one_of("activation", name, ACTIVATIONS) for name in names]
        self.residual = residual
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths) if layer_norm else None

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size  # type: ignore[return-value]

    def forward(
        self,
        x: Shaped[Tensor, "B T *input"],
        mask: Bool[Tensor, "B T"] | None = None,
        state: tuple[LayerState, ...] | None = None,
    ) -> tuple[Tensor, tuple[LayerState, ...]]:
        """Outputs of the top layer `[B, T, D]`, and the final states of each direction of each layer (as `state`)."""
        outputs, layers = self.directions(x, mask, state)
        return outputs, tuple(tuple(run.state for run in runs) for runs in layers)

    def directions(
        self, x: Tensor, mask: Tensor | None = None, state: tuple[LayerState, ...] | None = None
    ) -> tuple[Tensor, list[tuple[Run, ...]]]:
        """Outputs of the top layer, and for each layer the runs of its directions.

        Raises ValueError for a state of another number of layers.
        """
        if state is not None and (not isinstance(state, tuple | list) or len(state) != len(self.layers)):
            came = len(state) if isinstance(state, tuple | list) else f"a {type(state).__name__}"
            raise ValueError(f"Stacked: state is of {came}, expected one for each of {len(self.layers)} layers")
        layers: list[tuple[Run, ...]] = []
        for index, layer in enumerate(self.layers):
            if index:
                x = self.dropouts[index - 1](ACTIVATIONS[self.activations[index - 1]](x))
                if self.pyramid:
                    x, mask = pairs(x), None if mask is None else mask[:, ::2]
            y, runs = layer.directions(x, mask, None if state is None else state[index])  # type: ignore[operator]
            layers.append(runs)
            if self.norms is not None:
                y = self.norms[index](y)
                y = y if mask is None else torch.where(mask[..., None], y, torch.zeros_like(y))
            x = x + y if self.residual and index else y
        return x, layers
