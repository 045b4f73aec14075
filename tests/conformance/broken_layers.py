"""Layers, each with one mistake that has been made in published code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import State
from lightning_seq.engines.engine import Run
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.mask import lengths_of, zero_beyond
from lightning_seq.layers.recurrent import Recurrent


class IgnoresLengths(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        return super().run(zero_beyond(x, lengths_of(x, mask)), None, *given, **more)


class NeverReverses(Recurrent):
    def __init__(self, cell: Any, reverse: bool, engine: str) -> None:
        super().__init__(cell, False, engine)


class ReversesPadding(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        if not self.reverse:
            return super().run(x, mask, *given, **more)
        run = Recurrent(self.cell, False, self.engine).run(zero_beyond(x, lengths_of(x, mask)).flip(1), None, *given)
        return Run(zero_beyond(run.outputs.flip(1), lengths_of(x, mask)), run.state)


class ForgetsTheState(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *given: Any, **more: Any) -> Run:
        return super().run(x, mask, None, *given, **more)


class MasksBefore(Recurrent):
    """The state is wiped where the mask is False, in the place of being held."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        if mask is None:
            return run
        short = ~mask[:, -1]
        state = tuple(torch.where(short.reshape(-1, *(1,) * (s.dim() - 1)), 0 * s, s) for s in run.state)
        return Run(run.outputs, state, run.trace)


class LeaksIntoPadding(Recurrent):
    """The outputs beyond the end repeat the last state."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        if mask is None:
            return run
        held = run.state[0][:, None].expand_as(run.outputs)
        return Run(torch.where(mask.reshape(*mask.shape, *(1,) * (x.dim() - 2)), run.outputs, held), run.state)


class MultipliesByTheMask(Recurrent):
    """Outputs beyond the end are multiplied away, computed from what the padding holds: 0 times NaN is NaN."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        return run if mask is None else Run(run.outputs + 0 * x.sum(-1, keepdim=True), run.state, run.trace)


class LastColumn(Recurrent):
    """The final state is read off the last column, whatever the length."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        return Run(run.outputs, (run.outputs[:, 0 if self.reverse else -1], *run.state[1:]), run.trace)


class IgnoresNoise(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *_: Any, **more: Any) -> Run:
        return super().run(x, mask, state, trace=bool(more.get("trace")))


class LosesTheOddStep(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *given: Any, **more: Any) -> Run:
        even = x.shape[1] // 2 * 2 or x.shape[1]
        part = None if mask is None else mask[:, :even]
        run = super().run(x[:, :even], part, state, *given, **more)
        return Run(functional.pad(run.outputs, (0, 0, 0, x.shape[1] - even)), run.state, run.trace)


class HalvesSwapped(Bidirectional):
    def forward(self, *given: Any) -> Any:
        outputs, states = super().forward(*given)
        return torch.cat(outputs.chunk(2, 2)[::-1], 2), states


class BackwardIsForward(Bidirectional):
    def __init__(self, forward_cell: Any, backward_cell: Any, engine: str) -> None:
        super().__init__(forward_cell, backward_cell, engine=engine)
        self.backwards = Recurrent(backward_cell, reverse=False, engine=engine)


class OneDirectionTwice(Bidirectional):
    def __init__(self, forward_cell: Any, backward_cell: Any, engine: str) -> None:
        super().__init__(forward_cell, forward_cell, engine=engine)


class ForgetsTheStates(Bidirectional):
    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Any:
        return super().forward(x, mask)


class SwapsTheStates(Bidirectional):
    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Any:
        return super().forward(x, mask, state and state[::-1])


class HandsOutTheState(Recurrent):
    """Under zoneout the output is the first tensor of the state, whatever the cell hands out."""

    def run(self, *given: Any, **more: Any) -> Run:
        noise = more.get("noise")
        if noise is None or noise.zoneout is None:
            return super().run(*given, **more)
        run = super().run(*given, **more, trace=True)
        return replace(run, outputs=torch.where(run.outputs != 0, run.trace.states[0], run.outputs))
