"""Convolutions over time: each place sees its neighbours, and nothing is carried from place to place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.activation import ACTIVATIONS, Activation
from lightning_seq.embeddings.layer import lookup_product
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded
from lightning_seq.value_types import Fraction, Layers, Size


class MaskedConvolution(nn.Module):
    """One convolution of width k over the places of a sequence, as many outputs as inputs.

        y_t = b + Σ_{i=0}^{k-1} W_i x_{t-l+i},  x_t = 0 before the beginning, after the end and where the mask is False

    W `[G, D, k]` as `nn.Conv1d` lays it out, b `[G]`. l, the number of places seen to the left, is k - 1 where `causal`
    and otherwise ⌊k/2⌋, so that an even width sees one place more to the left than to the right.
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

        Where D > G the bound is 1/√(k G) instead: of one-hot inputs only k of k D are on, and D is a vocabulary.
        """
        bound = (self.width * min(self.input_size, self.output_size)) ** -0.5
        for parameter in (self.W, self.b):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, x: Float[Tensor, "B T D"] | Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T G"]:
        """Of token ids, which stand for one-hot vectors, the columns of W are looked up."""
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
    """Parallel convolutions of several widths, side by side (Kim 2014, eq. 2).

        c^k_t = φ(b_k + Σ_i W^k_i x_{t-l+i}),  y_t = [c^k_t for each width k]

    With `pooling=max` it is Kim's network: the maximum over time is his eq. 3. He slides each filter over the whole
    windows of a sentence alone; here every place has a window, filled up with zeros, so that there are as many outputs
    as inputs.

    input_size: D, or V for token ids.
    widths:     the number of places each convolution sees.
    channels:   outputs of each of them.
    activation: φ: `tanh`, `relu`, `logistic` or `identity`.
    causal:     see places to the left only.
    num_layers: each further layer convolves the outputs of the one below.
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
        check_dropout(dropout)
        self.output_size, self.causal = len(widths) * channels, causal
        self.activation = activation
        self.layers = nn.ModuleList(
            nn.ModuleList(MaskedConvolution(D, channels, k, causal) for k in widths)
            for D in (input_size, *[self.output_size] * (num_layers - 1))
        )
        self.dropout = Dropout(float(dropout))

    def forward(self, x: Tensor, mask: Tensor, state: Any = None) -> Encoded:
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


def check_dropout(rate: float) -> None:
    """Raises UserError for a dropout that is not one number of at least 0 and less than 1."""
    if type(rate) not in (int, float) or not 0 <= rate < 1:
        raise UserError(f"model.dropout={rate}: expected one number of at least 0 and less than 1")
