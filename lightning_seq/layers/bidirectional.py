"""Two directions over one sequence."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.engines.engine import Run
from lightning_seq.errors import UserError, near
from lightning_seq.layers.dropout import Regularisation
from lightning_seq.layers.recurrent import LayerState, Recurrent
from lightning_seq.value_types import OneOf

MERGES = ("concat", "sum", "mean", "mul")
Merge = Annotated[str, OneOf(MERGES)]


def check_directions(forward_cell: Cell, backward_cell: Cell, same_output: bool) -> None:
    """Raises UserError unless both cells read one input, and give outputs that can be joined (or added)."""
    one, other = forward_cell, backward_cell
    skipped = 0 if same_output else 1
    if one.input_shape != other.input_shape or one.output_shape[skipped:] != other.output_shape[skipped:]:
        raise UserError(
            f"the directions read {list(one.input_shape)} and {list(other.input_shape)} and give "
            f"{list(one.output_shape)} and {list(other.output_shape)}, expected one input size"
            + (" and one output size" if same_output else "")
        )


class Bidirectional(nn.Module):
    """A forward and a backward pass (Schuster & Paliwal 1997), merged at each step.

        h→_t = f(x_t, h→_{t-1})
        h←_t = f'(x_t, h←_{t+1})
        y_t  = [h→_t ; h←_t]

    Parameters: both cells', or one's where they share.

    forward_cell, backward_cell: the recurrences; the same object twice shares its weights.
    merge: `concat` (forward half first), `sum`, `mean` or `mul` (the product, as in Keras).

    A sequence in chunks is not the whole: the backward pass would have to know what comes next.

    Raises UserError for an unknown merge, and for cells whose sizes do not fit each other.
    """

    def __init__(
        self,
        forward_cell: Cell,
        backward_cell: Cell,
        merge: str = "concat",
        engine: str = "auto",
        regularisation: Regularisation | None = None,
    ) -> None:
        super().__init__()
        if merge not in MERGES:
            raise UserError(f"merge is {merge!r}: {near(merge, MERGES)}")
        check_directions(forward_cell, backward_cell, same_output=merge != "concat")
        self.forwards = Recurrent(forward_cell, engine=engine, regularisation=regularisation)
        self.backwards = Recurrent(backward_cell, reverse=True, engine=engine, regularisation=regularisation)
        self.merge = merge

    @property
    def output_size(self) -> int:
        return self.output_shape[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.forwards.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        if self.merge != "concat":
            return self.forwards.output_shape
        return self.forwards.output_size + self.backwards.output_size, *self.forwards.output_shape[1:]

    def forward(
        self,
        x: Shaped[Tensor, "B T *input"],
        mask: Bool[Tensor, "B T"] | None = None,
        state: LayerState | None = None,
    ) -> tuple[Tensor, tuple[State, State]]:
        """Outputs `[B, T, 2H]` (`[B, T, H]` unless they are concatenated) and the final states (forward, backward).

        state: of the forward direction before the first token, of the backward one behind each row's last; None for the
               cells' own.

        Raises ValueError unless the state is a pair.
        """
        outputs, (forwards, backwards) = self.directions(x, mask, state)
        return outputs, (forwards.state, backwards.state)

    def directions(
        self, x: Tensor, mask: Tensor | None = None, state: LayerState | None = None
    ) -> tuple[Tensor, tuple[Run, ...]]:
        """The outputs, and the runs of both directions."""
        if state is not None and len(state) != 2:
            raise ValueError(
                f"the state of a bidirectional layer has {len(state)} parts, expected 2: (forward, backward), each a "
                "tuple of tensors"
            )
        start = (None, None) if state is None else state
        runs = self.forwards.run(x, mask, start[0]), self.backwards.run(x, mask, start[1])
        one, other = runs[0].outputs, runs[1].outputs
        if self.merge == "concat":
            return torch.cat([one, other], 2), runs
        if self.merge == "mul":
            return one * other, runs
        return (one + other if self.merge == "sum" else (one + other) / 2), runs

    def extra_repr(self) -> str:
        return f"merge={self.merge!r}"
