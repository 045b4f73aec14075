"""How each cell is run by an engine over packed rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lightning_seq.cells.cell import Cell
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell

ELMAN, LSTM, GRU_AFTER, GRU_BEFORE = range(4)

ACTIVATIONS = ("tanh", "relu", "logistic", "identity")


@dataclass(frozen=True)
class Plan:
    """How a cell is run: its kind and options, and its tensors other than U."""

    kind: int
    hidden_size: int
    gates: int
    activation: int = 0
    coupled: bool = False
    bn: Tensor | None = None
    p: Tensor | None = None


def _elman(cell: ElmanCell | CombinedCell) -> Plan:
    return Plan(ELMAN, cell.hidden_size, 1, ACTIVATIONS.index(cell.activation))


def _peephole(cell: PeepholeLSTMCell) -> Plan | str:
    return "its peepholes are full matrices" if cell.full else Plan(LSTM, cell.hidden_size, 4, p=cell.p)


def _greff(cell: GreffLSTMCell) -> Plan | str:
    all_gates = cell.gates == (("i", "g", "o") if cell.coupled else ("i", "f", "g", "o"))
    if not (all_gates and cell.input_activation and cell.output_activation) or cell.U_gates is not None:
        return "of the LSTM's variants it knows peepholes and coupled gates"
    return Plan(LSTM, cell.hidden_size, len(cell.gates), coupled=cell.coupled, p=cell.p)


# By exact class: a subclass may have changed its equations.
PLANS: dict[type[Cell], Callable[..., Plan | str]] = {
    ElmanCell: _elman,
    CombinedCell: _elman,
    LSTMCell: lambda cell: Plan(LSTM, cell.hidden_size, 4),
    PeepholeLSTMCell: _peephole,
    GreffLSTMCell: _greff,
    GRUCell: lambda cell: Plan(GRU_AFTER, cell.hidden_size, 3, bn=cell.b_n),
    GRUResetBeforeCell: lambda cell: Plan(GRU_BEFORE, cell.hidden_size, 3),
}
