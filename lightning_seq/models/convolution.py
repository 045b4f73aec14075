"""Convolutions over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.activation import ACTIVATIONS, Activation
from lightning_seq.embeddings.layer import lookup_product
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import Fraction, Layers, Size


class MaskedConvolution(nn.Module):
    """A convolution of width k over the positions of a sequence, with as many outputs as inputs.

        y_t = b + Σ_{i=0}^{k-1} W_i x_{t-l+i},  x_t = 0 before the beginning, after the end and where the mask is False

    W `[G, D, k]` in the layout of `nn.Conv1d`, b `[G]`. l, the number of positions to the left, is k - 1 if `causal`,
    else ⌊k/2⌋: an even width has one more position to the left than to the right.
    """

    def __init__(self, input_size: int, output_size: int, width: int, causal: bool = False) -> None:
        super().__init__()
        check_sizes(input_size=input_size, output_size=output_size, width=width)
        self.input_size, self.output_size, self.width = input_size, output_size, width
        self.left = width - 1 if causal else width // 2
        self.W = nn.Parameter(torch.empty(output_size, input_size, width))
        self.b = nn.Parameter(torch.empty(output_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√(k D), as torch initialises a convolution.

        If D > G the bound is 1/√(k G): of k D one-hot inputs, with D the vocabulary, only k are 1.
        """
        bound = (self.width * min(self.input_size, self.output_size)) ** -0.5
        for parameter in (self.W, self.b):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, x: Float[Tensor, "B T D"] | Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T G"]:
        """For token ids (one-hot vectors), a lookup of the columns of W."""
        T, around = x.shape[1], (self.left, self.width - 1 - self.left)
        y: Tensor = self.b
        if x.is_floating_point():
            x = torch.where(mask[..., None], x, torch.zeros_like(x))
            x = functional.pad(x, (0, 0, *around))
            for i, W_i in enumerate(self.W.unbind(-1)):
                y = y + functional.linear(x[:, i : i + T], W_i)
        else:
            ids = functional.pad(torch.where(mask, x, torch.zeros_like(x)), around)
            real = functional.pad(mask, around)[..., None]
            for i, W_i in enumerate(self.W.unbind(-1)):
                y = y + lookup_product(ids[:, i : i + T], W_i) * real[:, i : i + T]
        return y

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.output_size}, width={self.width}, left={self.left}"


class Convolution(Encoder):
    """Parallel convolutions of several widths, concatenated (Kim 2014, eq. 2).

        c^k_t = φ(b_k + Σ_i W^k_i x_{t-l+i}),  y_t = [c^k_t for each width k]

    With `pooling=max` it is Kim's network: the maximum over time is his eq. 3. His windows lie inside the sentence;
    here every position has a window, padded with zeros, so that there are as many outputs as inputs.

    input_size: D, or V for token ids.
    widths:     the number of positions in each convolution's window.
    channels:   outputs of each convolution.
    activation: φ: `tanh`, `relu`, `logistic` or `identity`.
    causal:     only positions to the left.
    num_layers: each further layer convolves the outputs of the layer below.
    dropout:    between layers.

    Raises UserError for sizes below 1, for no widths, an unknown activation and a dropout outside [0, 1).
    """

    def __init__(
        self,
        input_size: int,
        widths: Sequence[Size] = (3, 4, 5),
        channels: Size = 100,
        activation: Activation = "relu",
        causal: bool = False,
        num_layers: Layers = 1,
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__()
        if not isinstance(widths, Sequence) or not widths or any(type(k) is not int or k < 1 for k in widths):
            raise UserError(f"model.widths={widths}: expected a list of whole numbers of at least 1, as [3,4,5]")
        check_sizes(channels=channels, num_layers=num_layers)
        one_of("model.activation", activation, ACTIVATIONS)
        self.output_size, self.causal = len(widths) * channels, causal
        self.activation = activation
        self.layers = nn.ModuleList(
            nn.ModuleList(MaskedConvolution(D, channels, k, causal) for k in widths)
            for D in (input_size, *[self.output_size] * (num_layers - 1))
        )
        self.dropout = Dropout(check_rate("model.dropout", dropout))

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`[B, T, D]` or ids `[B, T]` to outputs `[B, T, len(widths) * channels]`."""
        φ = ACTIVATIONS[self.activation]
        for index, layer in enumerate(self.layers):
            if index:
                x = self.dropout(x)
            x = torch.cat([φ(convolution(x, mask)) for convolution in layer], -1)  # type: ignore[attr-defined]
        return Encoded(torch.where(mask[..., None], x, torch.zeros_like(x)), mask)

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"


def check_sizes(**sizes: int) -> None:
    """Raises UserError for a size that is not a whole number of at least 1."""
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise UserError(f"model.{name}={size}: expected a whole number of at least 1")
