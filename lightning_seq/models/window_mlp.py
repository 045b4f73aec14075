"""A perceptron over the last k inputs, without recurrence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_seq.cells.activation import ACTIVATIONS, Activation
from lightning_seq.errors import one_of
from lightning_seq.models.convolution import MaskedConvolution, check_sizes
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import Layers, Size


class WindowMLP(Encoder):
    """A multi-layer perceptron over the last k inputs (Waibel et al. 1989; Bengio et al. 2003, eq. 1).

        h^1_t = φ(W [x_{t-k+1} ; … ; x_t] + b),  h^l_t = φ(W_l h^{l-1}_t + b_l),  x_t = 0 for t < 1

    Inputs k or more steps back have no effect. With the identity as φ and one layer it is the linear autoregressive
    filter of order k.

    input_size:  D, or V for token ids.
    window:      k.
    hidden_size: H of every layer.
    num_layers:  L, with the layer over the window.
    activation:  φ: `tanh`, `relu`, `logistic` or `identity`.

    Raises UserError for sizes below 1 and for an unknown activation.
    """

    causal = True

    def __init__(
        self,
        input_size: int,
        window: Size = 5,
        hidden_size: Size = 128,
        num_layers: Layers = 1,
        activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        check_sizes(window=window, hidden_size=hidden_size, num_layers=num_layers)
        one_of("model.activation", activation, ACTIVATIONS)
        self.output_size = hidden_size
        self.activation = activation
        # [W_0 … W_{k-1}] over the concatenated inputs is a causal convolution of width k.
        self.window = MaskedConvolution(input_size, hidden_size, window, causal=True)
        self.layers = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(num_layers - 1))

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`[B, T, D]` or ids `[B, T]` to outputs `[B, T, H]`."""
        φ = ACTIVATIONS[self.activation]
        h = φ(self.window(x, mask))
        for layer in self.layers:
            h = φ(layer(h))
        return Encoded(torch.where(mask[..., None], h, torch.zeros_like(h)), mask)

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"
