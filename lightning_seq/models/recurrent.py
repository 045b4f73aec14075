"""Recurrent encoders: any cell, one or two directions, any depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lightning_seq.cells.activation import Activation
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.engines.choice import EngineName, choose
from lightning_seq.errors import UserError
from lightning_seq.layers.bidirectional import Bidirectional, Merge
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.layers.dropout import Regularisation
from lightning_seq.layers.dropout import dropout as make_dropout
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Layer, Stacked
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import Fraction, Layers, Size


class RecurrentEncoder(Encoder):
    """`num_layers` layers of one kind of cell.

    input_size:    D.
    cell:          makes a cell from (input_size, hidden_size).
    hidden_size:   H of every layer, or a list with one size per layer.
    num_layers:    L; may be omitted if `hidden_size` is a list.
    bidirectional: run each layer in both directions; `shared` gives both the same weights, `merge` is `concat`, `sum`,
                   `mean` or `mul`; `combined` joins them by a third recurrence (`layers/cbrnn.py`).
    activation:    between layers, one name or L - 1 of them (`layers/stacked.py`).
    residual, layer_norm: around each layer (`layers/stacked.py`).
    input_dropout, dropout, output_dropout: before, between (one value or L - 1 of them) and after the layers; `locked`
                   draws their masks once per sequence.
    recurrent_dropout, zoneout, weight_drop: inside each recurrence (`layers/dropout.py`).
    pyramid:       each layer after the first reads pairs of steps (`layers/stacked.py`): for speech.
    engine:        `auto`, `fused`, `aten`, `native` or `loop`.
    """

    def __init__(
        self,
        input_size: int,
        cell: Callable[[int, int], Cell],
        hidden_size: Size | Sequence[Size] = 128,
        num_layers: Layers | None = None,
        bidirectional: bool = False,
        shared: bool = False,
        merge: Merge = "concat",
        combined: bool = False,
        activation: Activation | Sequence[Activation] = "identity",
        residual: bool = False,
        layer_norm: bool = False,
        input_dropout: Fraction = 0.0,
        dropout: Fraction | Sequence[Fraction] = 0.0,
        output_dropout: Fraction = 0.0,
        locked: bool = False,
        recurrent_dropout: Fraction = 0.0,
        zoneout: Fraction | Sequence[Fraction] = 0.0,
        weight_drop: Fraction = 0.0,
        pyramid: bool = False,
        engine: EngineName = "auto",
    ) -> None:
        super().__init__()
        sizes = _sizes(hidden_size, num_layers)
        if not bidirectional and (shared or merge != "concat" or combined):
            raise UserError("shared, merge and combined act on two directions: set model.bidirectional=true as well")
        if combined and merge != "concat":
            raise UserError(f"model.merge={merge} and model.combined=true both join the directions: give one of them")
        noise = Regularisation(recurrent_dropout, zoneout, weight_drop)
        layers: list[Layer] = []
        width = input_size
        for size in sizes:
            forwards = cell(width, size)
            if not bidirectional:
                layers.append(Recurrent(forwards, engine=engine, regularisation=noise))
            else:
                backwards = forwards if shared else cell(width, size)
                layers.append(
                    CBRNN(forwards, backwards, engine=engine, regularisation=noise)
                    if combined
                    else Bidirectional(forwards, backwards, merge, engine, noise)
                )
            if len(forwards.output_shape) != 1:
                raise UserError(
                    f"{type(forwards).__name__} gives maps, expected a cell over vectors: use it as a layer"
                )
            width = layers[-1].output_size * (2 if pyramid and len(layers) < len(sizes) else 1)
        self.input_dropout = make_dropout(input_dropout, locked)
        self.output_dropout = make_dropout(output_dropout, locked)
        self.stack = Stacked(layers, dropout, activation, residual, layer_norm, locked, pyramid)
        self.output_size = width
        self.causal = self.stateful = not bidirectional
        self.final_size = forwards.output_shape[0] * (2 if bidirectional and not combined else 1)

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`[B, T, D]` to outputs `[B, T, output_size]` and the final states of every layer and direction."""
        if x.is_floating_point():
            x = self.input_dropout(x)
        outputs, layers = self.stack.directions(x, mask, state)
        final = tuple(tuple(run.state for run in runs) for runs in layers)
        last = [run.last for run in layers[-1]]
        if self.stack.pyramid:
            mask = mask[:, :: 2 ** (len(layers) - 1)]
        return Encoded(self.output_dropout(outputs), mask, final, last[0] if len(last) == 1 else torch.cat(last, -1))

    def engines(self, x: Tensor) -> list[str]:
        names = []
        for layer in self.stack.layers:
            directions = [module for module in layer.modules() if isinstance(module, Recurrent)]
            for direction in directions:
                drawn = direction.regularisation
                noise = drawn.draw(direction.cell, x, training=True) if drawn else None
                like = torch.empty(1, 1, 1, device=x.device) if isinstance(direction.cell, CombinedCell) else x
                names.append(choose(direction.engine, direction.cell, like, noise).name)
            width = int(layer.output_size) * (2 if self.stack.pyramid else 1)  # type: ignore[arg-type]
            x = torch.empty(1, 1, width, device=x.device)
        return names


def _sizes(hidden_size: int | Sequence[int], num_layers: int | None) -> list[int]:
    if isinstance(hidden_size, int):
        sizes = [hidden_size] * (1 if num_layers is None else num_layers)
    else:
        sizes = list(hidden_size)
        if num_layers is not None and num_layers != len(sizes):
            raise UserError(
                f"hidden_size has {len(sizes)} values and num_layers is {num_layers}: give one or the other"
            )
    if not sizes or min(sizes) < 1:
        raise UserError(
            f"a recurrent encoder needs at least one layer of at least one unit, "
            f"model.hidden_size={hidden_size} model.num_layers={num_layers} came"
        )
    return sizes
