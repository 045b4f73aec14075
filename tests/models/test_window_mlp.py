"""The perceptron over a window of inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lightning_seq.errors import UserError
from lightning_seq.models.window_mlp import WindowMLP

PHI = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize(("window", "layers", "T"), [(1, 1, 4), (3, 1, 7), (3, 3, 7), (5, 2, 3)])
def test_it_is_the_perceptron_over_the_last_inputs(activation: str, window: int, layers: int, T: int) -> None:
    torch.manual_seed(window + layers)
    D, H, B = 4, 5, 2
    encoder = WindowMLP(D, window, H, layers, activation)
    x = torch.randn(B, T, D)
    # W of the paper: [H, k D], the oldest input's columns first.
    W = encoder.window.W.detach().numpy().transpose(0, 2, 1).reshape(H, window * D)
    b = encoder.window.b.detach().numpy()
    expected = np.zeros((B, T, H))
    for row in range(B):
        for t in range(T):
            taps = [x[row, s].numpy() if s >= 0 else np.zeros(D) for s in range(t - window + 1, t + 1)]
            h = PHI[activation](W @ np.concatenate(taps) + b)
            for layer in encoder.layers:
                h = PHI[activation](layer.weight.detach().numpy() @ h + layer.bias.detach().numpy())
            expected[row, t] = h
    outputs = encoder(x, torch.ones(B, T, dtype=torch.bool)).outputs
    np.testing.assert_allclose(outputs.detach().numpy(), expected, atol=1e-5)


def test_a_window_of_one_is_a_linear_layer_at_each_step() -> None:
    encoder = WindowMLP(4, window=1, hidden_size=3, activation="identity")
    x = torch.randn(2, 6, 4)
    expected = functional.linear(x, encoder.window.W[:, :, 0], encoder.window.b)
    torch.testing.assert_close(encoder(x, torch.ones(2, 6, dtype=torch.bool)).outputs, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "model.window=0: expected a whole number of at least 1"),
        ({"window": 2.5}, "model.window=2.5: expected a whole number"),
        ({"hidden_size": [3, 4]}, r"model.hidden_size=\[3, 4\]: expected a whole number"),
        ({"num_layers": 0}, "model.num_layers=0: expected"),
        ({"activation": "tahn"}, "did you mean tanh"),
        ({"activation": ["tanh"]}, "activation"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        WindowMLP(4, **arguments)
