"""In float32, our engines are no further from float64 than twice torch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_seq import ElmanCell, GRUCell, LSTMCell, Recurrent
from lightning_seq.cells.cell import DenseCell
from lightning_seq.engines.choice import engines

B, T, D, H = 8, 60, 20, 48
TWINS = {ElmanCell: nn.RNN, LSTMCell: nn.LSTM, GRUCell: nn.GRU}


def twin_of(cell: DenseCell) -> nn.RNNBase:
    twin = TWINS[type(cell)](D, H, batch_first=True)
    with torch.no_grad():
        twin.weight_ih_l0.copy_(cell.W)
        twin.weight_hh_l0.copy_(cell.U)
        twin.bias_ih_l0.copy_(cell.b)
        twin.bias_hh_l0.zero_()
        if isinstance(cell, GRUCell):
            twin.bias_hh_l0[2 * H :] = cell.b_n
    return twin


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("engine", ["loop", "native", "aten", "fused"])
def test_at_most_twice_the_deviation_of_torch(kind: type[DenseCell], engine: str) -> None:
    torch.manual_seed(0)
    cell = kind(D, H)
    if engines()[engine].refuses(cell, torch.zeros(1, 1, D), None, False):
        pytest.skip(f"{engine} does not run {kind.__name__}")
    x = torch.randn(B, T, D)
    reference = Recurrent(kind(D, H).double(), engine="loop")
    reference.cell.load_state_dict(cell.state_dict())
    expected = reference(x.double())[0]
    ours = (Recurrent(cell, engine=engine)(x)[0].double() - expected).abs().max()
    theirs = (twin_of(cell)(x)[0].double() - expected).abs().max()
    assert ours <= 2 * theirs
    assert ours < 1e-5
