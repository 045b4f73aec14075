"""The contract of an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from lightning_seq.cells.cell import Cell, Noise, State


@dataclass(frozen=True)
class Trace:
    """States and gates of every step.

    states: for each tensor of the state, `[B, T, …]`.
    gates:  by name, `[B, T, H]`.
    steps:  the state after each step, in the order of the steps (in reverse, the last token's first): the tensors that
            the next step read, so that a loss has gradients with respect to them.
    """

    states: tuple[Tensor, ...]
    gates: dict[str, Tensor] = field(default_factory=dict)
    steps: tuple[State, ...] = ()


@dataclass(frozen=True)
class Run:
    """outputs `[B, T, *output_shape]`, zero where the mask is False; the state after each row's last token.

    output_place:     the index of the state's tensor that is also the output; None if the output is another tensor.
    lengths, reverse: `[B]` (None: all are T) and the direction of the layer.
    """

    outputs: Tensor
    state: State
    trace: Trace | None = None
    output_place: int | None = 0
    lengths: Tensor | None = None
    reverse: bool = False

    @property
    def last(self) -> Tensor:
        """`[B, *output_shape]`: the output of each row's last step (in reverse, at its first token). For a row of no
        tokens it is the tensor of its first state, or zero if the output is another tensor."""
        if self.output_place is not None:
            return self.state[self.output_place]
        if self.reverse:
            return self.outputs[:, 0]
        if self.lengths is None:
            return self.outputs[:, -1]
        rows = torch.arange(len(self.outputs), device=self.outputs.device)
        return self.outputs[rows, (self.lengths - 1).clamp(min=0)]


@runtime_checkable
class Engine(Protocol):
    """A way to run a cell over a sequence, equal to `loop` in value and gradient.

    ignores_padding: whether it never reads inputs beyond a row's length; for other engines they are zero.
    """

    name: str
    ignores_padding: bool

    def refuses(self, cell: Cell, x: Tensor, noise: Noise | None, trace: bool) -> str | None:
        """The reason why this engine cannot run the cell, or None if it can."""

    def run(
        self,
        cell: Cell,
        x: Tensor,
        lengths: Tensor | None,
        state: State,
        noise: Noise | None = None,
        trace: bool = False,
    ) -> Run:
        """Run forward in time over `x` `[B, T, *input_shape]`, zero beyond each row's length unless `ignores_padding`.

        lengths: `[B]`, or None where every row is T long.
        """
