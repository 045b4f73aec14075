"""Two directions over one sequence."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.engines.engine import Run
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Regularisation
from lightning_seq.layers.recurrent import LayerState, Recurrent
from lightning_seq.value_types import OneOf

MERGES = ("concat", "sum", "mean", "mul")
Merge = Annotated[str, OneOf(MERGES)]


def check_directions(forward_cell: Cell, backward_cell: Cell, same_output: bool) -> None:
    """Raises UserError unless both cells have the same input shape, and outputs that can be concatenated (or added)."""
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

    Parameters: those of both cells, or of one that both directions share.

    forward_cell, backward_cell: the recurrences; the same object twice shares its weights.
    merge: `concat` (forward half first), `sum`, `mean` or `mul` (the product, as in Keras).

    Chunks of a sequence differ from the whole: the backward pass of a chunk does not see the next one.

    Raises UserError for an unknown merge and for cells of different sizes.
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
        one_of("merge", merge, MERGES)
        check_directions(forward_cell, backward_cell, same_output=merge != "concat")
        self.forwards = Recurrent(forward_cell, engine=engine, regularisation=regularisation)
        self.backwards = Recurrent(backward_cell, reverse=True, engine=engine, regularisation=regularisation)
        self.merge = merge
        width, *space = forward_cell.output_shape
        self.output_size = width + backward_cell.output_shape[0] if merge == "concat" else width
        self.input_shape, self.output_shape = forward_cell.input_shape, (self.output_size, *space)

    def forward(
        self, x: Shaped[Tensor, "B T *input"], mask: Bool[Tensor, "B T"] | None = None, state: LayerState | None = None
    ) -> tuple[Tensor, tuple[State, State]]:
        """Outputs `[B, T, 2H]` (`[B, T, H]` unless concatenated) and the final states (forward, backward).

        state: of the forward direction before the first token, of the backward one after each row's last; None: the
               cells' initial states.

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
