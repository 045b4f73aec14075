"""Cells and layers that make whatever they are given fit."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_seq.cells.cell import State
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.engines.engine import Run
from lightning_seq.layers.recurrent import Recurrent


class CutsToFit(Recurrent):
    """Reads the columns it knows of a wider input."""

    def run(self, x: Tensor, *given: Any, **more: Any) -> Run:
        return super().run(x[:, :, : self.cell.input_shape[0]], *given, **more)


class CastsToFit(Recurrent):
    """Turns whatever type the state has into its own."""

    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *given: Any, **more: Any) -> Run:
        own = state if not isinstance(state, tuple) else tuple(tensor.to(x.dtype) for tensor in state)
        return super().run(x, mask, own, *given, **more)


class IgnoresMoreState(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *given: Any, **more: Any) -> Run:
        own = state if not isinstance(state, tuple) or len(state) < 2 else state[:2]
        return super().run(x, mask, own, *given, **more)


class BroadcastsState(ElmanCell):
    """One row of state serves all rows of a batch, when a step is made by itself."""


BroadcastsState.step = ElmanCell.step.unchecked  # type: ignore[attr-defined, method-assign]


class ProjectsWhatItKnows(LayerNormLSTMCell):
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        return super().project(x[..., : self.input_size], start)


ProjectsWhatItKnows.project = ProjectsWhatItKnows.project.unchecked  # type: ignore[attr-defined, method-assign]
