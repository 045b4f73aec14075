"""The connectionist bidirectional recurrent network."""

from __future__ import annotations

from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.engines.engine import Run
from lightning_seq.errors import UserError
from lightning_seq.layers.bidirectional import check_directions
from lightning_seq.layers.dropout import Regularisation
from lightning_seq.layers.recurrent import Recurrent


class CBRNN(nn.Module):
    """Connectionist bidirectional RNN (C-BRNN; Vu et al. 2016, NAACL, section 3.2).

        h→_t = f(x_t, h→_{t-1})
        h←_t = f'(x_t, h←_{t+1})
        h_t  = φ(h→_t + h←_t + B h_{t-1})

    Parameters: twice the cell's, and H*H.
    Elsewhere: h_f, h_b, h_bi for the three states; U_bi for B.

    forward_cell, backward_cell: the recurrences, of one output size H.
    activation: φ.

    A carried state is an error: the backward pass of a chunk does not see the next one.

    Raises UserError for cells of different sizes and for cells over maps.
    """

    def __init__(
        self,
        forward_cell: Cell,
        backward_cell: Cell,
        activation: str = "tanh",
        engine: str = "auto",
        regularisation: Regularisation | None = None,
    ) -> None:
        super().__init__()
        check_directions(forward_cell, backward_cell, same_output=True)
        if len(forward_cell.output_shape) != 1:
            raise UserError(f"a C-BRNN over maps {list(forward_cell.output_shape)}: its cells must give vectors")
        self.forwards = Recurrent(forward_cell, engine=engine, regularisation=regularisation)
        self.backwards = Recurrent(backward_cell, reverse=True, engine=engine, regularisation=regularisation)
        self.combined = Recurrent(
            CombinedCell(forward_cell.output_shape[0], activation), engine=engine, regularisation=regularisation
        )
        self.input_shape, self.output_shape = self.forwards.input_shape, self.combined.output_shape
        self.output_size = self.combined.output_size

    def forward(
        self, x: Shaped[Tensor, "B T *input"], mask: Bool[Tensor, "B T"] | None = None, state: object = None
    ) -> tuple[Tensor, tuple[State]]:
        """Outputs `[B, T, H]` and the combined layer's final state, `((h,),)`.

        Raises ValueError for a state.
        """
        outputs, (run,) = self.directions(x, mask, state)
        return outputs, (run.state,)

    def directions(self, x: Tensor, mask: Tensor | None = None, state: object = None) -> tuple[Tensor, tuple[Run, ...]]:
        """The outputs, and the run of the combined layer."""
        if state is not None:
            raise ValueError("a C-BRNN cannot carry a state from chunk to chunk: give it whole sequences")
        both = self.forwards.run(x, mask).outputs + self.backwards.run(x, mask).outputs
        run = self.combined.run(both, mask)
        return run.outputs, (run,)
