"""Recurrent encoders: any cell, either or both directions, any depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lightning_seq.cells.cell import Cell
from lightning_seq.engines.engine import choose
from lightning_seq.errors import UserError
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Stacked
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded


class RecurrentEncoder(Encoder):
    """`num_layers` layers of one kind of cell.

    input_size:    D.
    cell:          makes a cell from (input_size, hidden_size).
    hidden_size:   H of every layer, or a list with one size per layer.
    num_layers:    L; may be left out where `hidden_size` is a list.
    bidirectional: run each layer in both directions; `shared` gives both the same weights, `merge` is `concat`, `sum`
                   or `mean`.
    dropout, activation: between layers, one value or L - 1 of them (`layers/stacked.py`).
    engine:        `auto`, `native` or `loop`.
    """

    def __init__(
        self,
        input_size: int,
        cell: Callable[[int, int], Cell],
        hidden_size: int | Sequence[int] = 128,
        num_layers: int | None = None,
        bidirectional: bool = False,
        shared: bool = False,
        merge: str = "concat",
        dropout: float | Sequence[float] = 0.0,
        activation: str | Sequence[str] = "identity",
        engine: str = "auto",
    ) -> None:
        super().__init__()
        sizes = _sizes(hidden_size, num_layers)
        if not bidirectional and (shared or merge != "concat"):
            raise UserError("shared and merge act on two directions: set model.bidirectional=true as well")
        layers: list[Recurrent | Bidirectional] = []
        width = input_size
        for size in sizes:
            if bidirectional:
                forwards = cell(width, size)
                backwards = forwards if shared else cell(width, size)
                layers.append(Bidirectional(forwards, backwards, merge, engine))
            else:
                layers.append(Recurrent(cell(width, size), engine=engine))
            width = layers[-1].output_size
        self.stack = Stacked(layers, dropout, activation)
        self.output_size = width
        self.final_size = sizes[-1] * 2 if bidirectional else width

    def forward(self, x: Tensor, mask: Tensor) -> Encoded:
        """`[B, T, D]` to outputs `[B, T, output_size]` and the final states of every layer and direction."""
        outputs, state = self.stack(x, mask)
        return Encoded(outputs, mask, state)

    def engines(self, x: Tensor) -> list[str]:
        names = []
        for layer in self.stack.layers:
            directions = [module for module in layer.modules() if isinstance(module, Recurrent)]
            names += [choose(direction.engine, direction.cell, x).name for direction in directions]
            x = torch.empty(1, 1, int(layer.output_size), device=x.device)  # type: ignore[arg-type]
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
