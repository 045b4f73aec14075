"""A cell over a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import NamedTuple

from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, Noise, State, check_run
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.engines.choice import choose
from lightning_seq.engines.engine import Run, Trace
from lightning_seq.layers.dropout import Regularisation
from lightning_seq.layers.mask import lengths_of, reverse, zero_beyond


class Seen(NamedTuple):
    """A recurrence, what it read `[B, T, *input_shape]`, `lengths` `[B]` (None: all are T), and its traced run."""

    layer: Recurrent
    x: Tensor
    lengths: Tensor | None
    run: Run


LayerState = tuple[State, ...]
"""The state of each direction of a layer."""

_watched: ContextVar[list[Seen] | None] = ContextVar("watched", default=None)


@contextmanager
def watched() -> Iterator[list[Seen]]:
    """Traced runs (by the engine `loop`) of all recurrences inside, in their order, with the same values and gradients.

    with watched() as seen:
        model(inputs, mask)
    """
    seen: list[Seen] = []
    token = _watched.set(seen)
    try:
        yield seen
    finally:
        _watched.reset(token)


class Recurrent(nn.Module):
    """Any cell over a sequence `[B, T, *input_shape]`, forward in time or in reverse.

        h_t, s_t = cell(x_t, s_{t-1})

    Parameters: the cell's.

    cell:    the recurrence.
    reverse: run from each row's last token to its first. Each output stays at its token's position.
    engine:  `auto` (the fastest that can run the cell), `fused`, `aten`, `native` or `loop`.
    regularisation: noise inside the recurrence, drawn at each call.

    Where the mask is False the state does not change and the output is zero: a sequence gives the same result alone and
    in any batch. Chunks of a sequence give the same result as the whole if the state is carried (in reverse, the last
    chunk first).
    """

    def __init__(
        self, cell: Cell, reverse: bool = False, engine: str = "auto", regularisation: Regularisation | None = None
    ) -> None:
        super().__init__()
        self.cell, self.reverse, self.engine, self.regularisation = cell, reverse, engine, regularisation
        self.input_shape, self.output_shape = cell.input_shape, cell.output_shape
        self.output_size = cell.output_shape[0]

    def run(
        self,
        x: Shaped[Tensor, "B T *input"],
        mask: Bool[Tensor, "B T"] | None = None,
        state: State | None = None,
        noise: Noise | None = None,
        trace: bool = False,
    ) -> Run:
        """Outputs `[B, T, *output_shape]`, the state after each row's last token (in reverse: its first), a trace.

        noise: in the order of the steps; None: drawn by `regularisation`.

        Raises ValueError for T = 0, for a mask that is not a prefix, and for an input, state or noise of another shape
        or device than the cell's; TypeError for another type.
        """
        check_run(self.cell, x, state, noise)
        lengths = lengths_of(x, mask)
        if state is None:
            state = self.cell.initial_state(x)
        if noise is None and self.regularisation:
            noise = self.regularisation.draw(self.cell, x, self.training)
        watching = _watched.get()
        trace = trace or watching is not None
        engine = choose(self.engine if watching is None else "loop", self.cell, x, noise, trace)
        if not engine.ignores_padding:
            x = zero_beyond(x, lengths)
        unreversed = x
        if self.reverse:
            x = reverse(x, lengths)
        run = engine.run(self.cell, x, lengths, state, noise, trace)
        if self.reverse:
            trace_in_order = run.trace and Trace(
                tuple(reverse(tensor, lengths) for tensor in run.trace.states),
                {name: reverse(gate, lengths) for name, gate in run.trace.gates.items()},
                run.trace.steps,
            )
            run = replace(run, outputs=reverse(run.outputs, lengths), trace=trace_in_order)
        run = replace(run, lengths=lengths, reverse=self.reverse)
        if watching is not None:
            watching.append(Seen(self, unreversed, lengths, run))
        return run

    def forward(
        self, x: Shaped[Tensor, "B T *input"], mask: Bool[Tensor, "B T"] | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Outputs `[B, T, *output_shape]` and the final state."""
        run = self.run(x, mask, state)
        return run.outputs, run.state

    def directions(
        self, x: Tensor, mask: Tensor | None = None, state: LayerState | None = None
    ) -> tuple[Tensor, tuple[Run, ...]]:
        """The outputs, and the run of each direction; every layer has this method."""
        run = self.run(x, mask, None if state is None else state[0])
        return run.outputs, (run,)

    def extra_repr(self) -> str:
        return f"reverse={self.reverse}, engine={self.engine!r}"


class Elman(Recurrent):
    """`Recurrent` over an `ElmanCell`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: str = "tanh",
        bias: bool = True,
        reverse: bool = False,
        engine: str = "auto",
    ) -> None:
        super().__init__(ElmanCell(input_size, hidden_size, activation, bias), reverse, engine)


class LSTM(Recurrent):
    """`Recurrent` over an `LSTMCell`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        forget_bias: float | None = 1.0,
        reverse: bool = False,
        engine: str = "auto",
    ) -> None:
        super().__init__(LSTMCell(input_size, hidden_size, bias, forget_bias), reverse, engine)


class GRU(Recurrent):
    """`Recurrent` over a `GRUCell`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, reverse: bool = False, engine: str = "auto"
    ) -> None:
        super().__init__(GRUCell(input_size, hidden_size, bias), reverse, engine)
