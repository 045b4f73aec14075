"""Convolutions over time, alone and under a recurrent network."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.errors import UserError
from lightning_seq.models.convolution import Convolution, MaskedConvolution
from lightning_seq.models.convolution_recurrent import ConvolutionRecurrent
from lightning_seq.models.pooling import pooling

from ..conftest import fastest

D = 4
FULL = torch.ones(2, 8, dtype=torch.bool)


def torch_convolution(convolution: MaskedConvolution, padding: int | str = 0) -> nn.Conv1d:
    layer = nn.Conv1d(convolution.input_size, convolution.output_size, convolution.width, padding=padding)
    layer.load_state_dict({"weight": convolution.W, "bias": convolution.b})
    return layer


@pytest.mark.parametrize(
    ("width", "causal", "left", "right"),
    [(1, False, 0, 0), (3, False, 1, 1), (4, False, 2, 1), (5, False, 2, 2), (3, True, 2, 0), (4, True, 3, 0)],
)
@pytest.mark.parametrize("T", [2, 8])
def test_it_is_torchs_convolution_over_zeros_on_either_side(
    width: int, causal: bool, left: int, right: int, T: int
) -> None:
    torch.manual_seed(width)
    encoder = Convolution(D, [width], 6, "identity", causal)
    x = torch.randn(2, T, D)
    expected = torch_convolution(encoder.layers[0][0])(functional.pad(x.transpose(1, 2), (left, right)))
    torch.testing.assert_close(encoder(x, FULL[:, :T]).outputs, expected.transpose(1, 2))


def test_two_layers_of_three_widths_stand_side_by_side() -> None:
    torch.manual_seed(1)
    encoder = Convolution(D, [5, 1, 3], 6, "relu", num_layers=2)
    x = torch.randn(2, 8, D)
    y = x.transpose(1, 2)
    for layer in encoder.layers:
        y = torch.cat([torch_convolution(convolution, "same")(y).relu() for convolution in layer], 1)
    assert encoder.output_size == 18
    torch.testing.assert_close(encoder(x, FULL).outputs, y.transpose(1, 2))


def test_pooled_it_is_kims_network() -> None:
    """A window of three, the maximum over time, by hand on a sentence of three words amid a batch."""
    torch.manual_seed(2)
    encoder = Convolution(D, [3], 5)
    x, mask = torch.randn(2, 6, D), torch.arange(6) < torch.tensor([6, 3])[:, None]
    W, b = encoder.layers[0][0].W, encoder.layers[0][0].b
    nothing = torch.zeros(D)
    windows = [(nothing, x[1, 0], x[1, 1]), (x[1, 0], x[1, 1], x[1, 2]), (x[1, 1], x[1, 2], nothing)]
    features = [sum((W[:, :, i] @ window[i] for i in range(3)), b).relu() for window in windows]
    torch.testing.assert_close(pooling("auto", encoder)(encoder(x, mask))[1], torch.stack(features).amax(0))


@pytest.mark.parametrize(("inputs", "outputs", "bound"), [(4, 50, 12**-0.5), (1000, 4, 12**-0.5)])
def test_weights_start_within_their_bound_however_large_the_vocabulary(inputs: int, outputs: int, bound: float) -> None:
    W = MaskedConvolution(inputs, outputs, width=3).W
    assert 0.95 * bound < W.abs().max() <= bound
    assert abs(W.mean()) < 0.1 * bound


def test_dropout_acts_between_layers_and_in_training_alone() -> None:
    torch.manual_seed(3)
    encoder = Convolution(D, [3], 200, "identity", num_layers=2, dropout=0.9)
    x = torch.randn(2, 8, D)
    quiet = encoder.eval()(x, FULL).outputs
    torch.testing.assert_close(quiet, encoder(x, FULL).outputs)
    encoder.train()
    assert not torch.allclose(encoder(x, FULL).outputs, quiet, atol=0.1)
    assert encoder(x, FULL).outputs.all()  # nothing is dropped after the last layer
    single = Convolution(D, [3], 5, dropout=0.9)
    torch.testing.assert_close(single(x, FULL).outputs, single.eval()(x, FULL).outputs)


def test_the_recurrent_network_reads_the_convolution() -> None:
    torch.manual_seed(4)
    encoder = ConvolutionRecurrent(D, LSTMCell, [3], 6, "tanh", hidden_size=5)
    x = torch.randn(2, 8, D)
    lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
    directions = encoder.recurrent.stack.layers[0]
    for suffix, cell in (("", directions.forwards.cell), ("_reverse", directions.backwards.cell)):
        for name, value in (("weight_ih", cell.W), ("weight_hh", cell.U), ("bias_ih", cell.b), ("bias_hh", None)):
            nn.init.zeros_(getattr(lstm, f"{name}_l0{suffix}"))
            if value is not None:
                getattr(lstm, f"{name}_l0{suffix}").data += value.data
    y = torch_convolution(encoder.convolution.layers[0][0], 1)(x.transpose(1, 2)).tanh().transpose(1, 2)
    expected, (h, c) = lstm(y)
    encoded = encoder(x, FULL)
    torch.testing.assert_close(encoded.outputs, expected)
    assert encoder.output_size == encoder.final_size == 10
    for direction in (0, 1):
        torch.testing.assert_close(encoded.state[0][direction], (h[direction], c[direction]))
    torch.testing.assert_close(pooling("last", encoder)(encoded), torch.cat([h[0], h[1]], -1))


def test_its_engines_read_features_even_where_the_inputs_are_ids() -> None:
    encoder = ConvolutionRecurrent(D, GRUCell, channels=2, hidden_size=[3, 4])
    ids = torch.zeros(1, 1, dtype=torch.int64)
    assert encoder.engines(ids) == [fastest()] * 4
    assert ConvolutionRecurrent(D, GRUCell, hidden_size=3, engine="loop").engines(ids) == ["loop"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": []}, r"model.widths=\[\]: expected a list of whole numbers"),
        ({"widths": 3}, "model.widths=3: expected a list"),
        ({"widths": [3, 0]}, r"model.widths=\[3, 0\]"),
        ({"widths": [3, "four"]}, "model.widths="),
        ({"widths": "345"}, "model.widths=345"),
        ({"channels": 0}, "model.channels=0"),
        ({"num_layers": True}, "model.num_layers=True"),
        ({"activation": "rely"}, "did you mean relu"),
        ({"dropout": 1.0}, "model.dropout is 1.0, expected at least 0 and less than 1"),
        ({"dropout": [0.1]}, r"model.dropout is \[0.1\]"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Convolution(D, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"causal": True}, "model.bidirectional=false"),
        ({"convolution_activation": "rely"}, "did you mean relu"),
        ({"widths": [0]}, "model.widths"),
        ({"hidden_size": 0}, "at least one unit"),
        ({"hiden_size": 3}, "no argument 'hiden_size'; did you mean hidden_size"),
    ],
)
def test_a_wrong_argument_of_either_part_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ConvolutionRecurrent(D, ElmanCell, **arguments)
