"""Against the reference evaluator of a public specification: ONNX's operators RNN, GRU and LSTM (unpadded: it ignores
`sequence_lens`)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_seq.cells.cell import DenseCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.conformance.layers import example, randomise
from lightning_seq.layers.recurrent import Recurrent

onnx = pytest.importorskip("onnx")
D, H, B, T = 3, 4, 2, 5
ORDER = {"RNN": "h", "GRU": "zrn", "LSTM": "iofg"}
"""The specification's gate orders, in our letters."""


def rows(tensor: Tensor, cell: DenseCell, order: str) -> Tensor:
    blocks = dict(zip(cell.gates, tensor.split(H), strict=True))
    return torch.cat([blocks[gate] for gate in order])


def evaluate(cell: DenseCell, operator: str, x: Tensor, state: tuple[Tensor, ...], **attributes: int) -> np.ndarray:
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    order = ORDER[operator]
    recurrent_bias = torch.zeros(len(order) * H, dtype=torch.double)
    if isinstance(cell, GRUCell):
        recurrent_bias[order.index("n") * H :] = cell.b_n
    given = {
        "X": x.transpose(0, 1),
        "W": rows(cell.W, cell, order)[None],
        "R": rows(cell.U, cell, order)[None],
        "B": torch.cat([rows(cell.bias(), cell, order), recurrent_bias])[None],
        "H0": state[0][None],
    }
    names = ["X", "W", "R", "B", "", "H0"]
    if operator == "LSTM":
        given["C0"] = state[1][None]
        names.append("C0")
    if isinstance(cell, PeepholeLSTMCell):
        p_i, p_f, p_o = cell.p
        given["P"] = torch.cat([p_i, p_o, p_f])[None]
        names.append("P")
    node = helper.make_node(operator, names, ["Y"], hidden_size=H, **attributes)
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in given]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("Y", TensorProto.DOUBLE, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    feeds = {name: tensor.detach().numpy() for name, tensor in given.items()}
    return ReferenceEvaluator(model).run(None, feeds)[0]


@pytest.mark.parametrize(
    ("cell", "operator", "attributes"),
    [
        (ElmanCell(D, H), "RNN", {}),
        (LSTMCell(D, H), "LSTM", {}),
        (PeepholeLSTMCell(D, H), "LSTM", {}),
        (GRUResetBeforeCell(D, H), "GRU", {"linear_before_reset": 0}),
        (GRUCell(D, H), "GRU", {"linear_before_reset": 1}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DenseCell) else None,
)
def test_equals_the_specification(cell: DenseCell, operator: str, attributes: dict[str, int]) -> None:
    randomise(cell)
    x, _, state = example(cell, [T] * B)
    expected = evaluate(cell, operator, x, state, **attributes)
    found = Recurrent(cell)(x, None, state)[0].detach().transpose(0, 1).numpy()
    # The evaluator returns every step, or the last alone, according to the operator and its version.
    expected = expected.reshape(-1, B, H)
    np.testing.assert_allclose(found[-len(expected) :], expected, rtol=0, atol=1e-10)
