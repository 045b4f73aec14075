"""The connectionist bidirectional recurrent network."""

from __future__ import annotations

from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.errors import UserError
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

    A carried state is refused: the backward pass would have to know what comes next.
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
        if forward_cell.output_shape != backward_cell.output_shape:
            raise UserError(
                f"the directions have {forward_cell.output_shape} and {backward_cell.output_shape} units, "
                "expected as many in both: their sum is what the combined layer sees"
            )
        self.forwards = Recurrent(forward_cell, engine=engine, regularisation=regularisation)
        self.backwards = Recurrent(backward_cell, reverse=True, engine=engine, regularisation=regularisation)
        self.combined = Recurrent(
            CombinedCell(forward_cell.output_shape[0], activation), engine=engine, regularisation=regularisation
        )

    @property
    def output_size(self) -> int:
        return self.combined.output_size

    def forward(
        self, x: Shaped[Tensor, "B T *input"], mask: Bool[Tensor, "B T"] | None = None, state: object = None
    ) -> tuple[Tensor, tuple[State]]:
        """Outputs `[B, T, H]` and the combined layer's final state, `((h,),)`.

        Raises ValueError when a state is given.
        """
        if state is not None:
            raise ValueError("a C-BRNN cannot carry a state from chunk to chunk: give it whole sequences")
        both = self.forwards.run(x, mask).outputs + self.backwards.run(x, mask).outputs
        run = self.combined.run(both, mask)
        return run.outputs, (run.state,)
