"""The subject of the suite of cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from lightning_seq.cells.cell import Cell, State
from lightning_seq.conformance.check import RAGGED
from lightning_seq.conformance.layers import example, randomise
from lightning_seq.conformance.oracles import OneStep
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.recurrent import Recurrent


@dataclass(frozen=True)
class Subject:
    """A cell with an engine and a direction.

    make:          makes the cell, with any weights.
    engine:        the name of an engine, or `auto`.
    recurrent:     makes the layer from (cell, reverse, engine).
    bidirectional: makes the layer of two directions from (forward cell, backward cell, engine).
    oracle:        None: the oracle of the cell's exact class.
    """

    make: Callable[[], Cell]
    engine: str = "loop"
    reverse: bool = False
    recurrent: Callable[[Cell, bool, str], Recurrent] = Recurrent
    bidirectional: Callable[[Cell, Cell, str], Bidirectional] = field(
        default=lambda forwards, backwards, engine: Bidirectional(forwards, backwards, engine=engine)
    )
    oracle: OneStep | None = None

    def layer(self, seed: int = 0) -> Recurrent:
        cell = self.make()
        randomise(cell, seed)
        return self.recurrent(cell, self.reverse, self.engine)

    def example(self, lengths: Sequence[int] = RAGGED) -> tuple[Recurrent, Tensor, Tensor, State]:
        """The layer, with inputs, mask and state as `layers.example` makes them."""
        layer = self.layer()
        return layer, *example(layer.cell, lengths)

    def cells(self, seed: int) -> tuple[Cell, Cell]:
        """Two cells with different weights."""
        forwards, backwards = self.make(), self.make()
        randomise(forwards, 2 * seed)
        randomise(backwards, 2 * seed + 1)
        return forwards, backwards
