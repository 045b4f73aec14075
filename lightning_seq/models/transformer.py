"""A small transformer encoder."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import check_rate
from lightning_seq.layers.mask import lengths_of
from lightning_seq.models.convolution import MaskedConvolution, check_sizes
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import Fraction, Heads, Layers, Size


class SelfAttention(nn.MultiheadAttention):
    """torch's, with the method that `Initialisation` calls (Vaswani et al. 2017, sec. 3.2)."""

    def reset_parameters(self) -> None:
        self._reset_parameters()


class TransformerLayer(nn.TransformerEncoderLayer):
    """torch's, with our `SelfAttention`; normalised before each part (Xiong et al. 2020, fig. 1b).

    a = x + attention(norm_1(x)),  y = a + W_2 relu(W_1 norm_2(a) + b_1) + b_2
    """

    def __init__(self, model_size: int, heads: int, feedforward_size: int, dropout: float) -> None:
        super().__init__(model_size, heads, feedforward_size, dropout, batch_first=True, norm_first=True)
        self.self_attn = SelfAttention(model_size, heads, dropout, batch_first=True)


class Transformer(Encoder):
    """The encoder of Vaswani et al. 2017, normalised before each part.

        z_t = √M (W x_t + b) + p_t,  L layers,  norm;  p_t as `sinusoids` says

    input_size:       D, or V for token ids.
    model_size:       M, the width of every layer; even, and a multiple of `heads`.
    heads:            attention heads of each layer.
    num_layers:       L.
    feedforward_size: hidden width of each layer's two-layer perceptron.
    dropout:          on z, on the attention weights and after each part.
    causal:           each position attends to itself and to the left only.

    Raises UserError for sizes below 1, a model_size that is odd or not a multiple of the heads, and a dropout outside
    [0, 1).
    """

    pooling = "mean"

    def __init__(
        self,
        input_size: int,
        model_size: Size = 128,
        heads: Heads = 4,
        num_layers: Layers = 2,
        feedforward_size: Size = 256,
        dropout: Fraction = 0.1,
        causal: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(model_size=model_size, heads=heads, num_layers=num_layers, feedforward_size=feedforward_size)
        check_rate("model.dropout", dropout)
        if model_size % heads or model_size % 2:
            raise UserError(
                f"model.model_size={model_size}: expected an even number that model.heads={heads} divides, "
                f"the nearest above is {_next_size(model_size, heads)}"
            )
        self.output_size, self.causal = model_size, causal
        self.projection = MaskedConvolution(input_size, model_size, width=1)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(model_size, heads, feedforward_size, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(model_size)

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`[B, T, D]` or ids `[B, T]` to outputs `[B, T, M]`.

        Raises ValueError for T = 0 and for a mask that is not a prefix.
        """
        lengths_of(x, mask)
        T, M = x.shape[1], self.output_size
        z = M**0.5 * self.projection(x, mask)
        z = self.dropout(z + sinusoids(T, M, z.device).to(z.dtype))
        # Every row attends to its first position, so that the softmax of an empty row is finite.
        closed = ~mask & (torch.arange(T, device=x.device) > 0)
        future = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1) if self.causal else None
        for layer in self.layers:
            z = layer(z, src_mask=future, src_key_padding_mask=closed)
        z = self.norm(z)
        return Encoded(torch.where(mask[..., None], z, torch.zeros_like(z)), mask)

    def extra_repr(self) -> str:
        return f"causal={self.causal}"


def sinusoids(T: int, size: int, device: torch.device | str = "cpu") -> Float[Tensor, "T size"]:
    """A vector for each of T positions, counted from 0 (Vaswani et al. 2017, sec. 3.5), for an even size.

    p_{t,2i} = sin(t / 10000^(2i/size)),  p_{t,2i+1} = cos(t / 10000^(2i/size))
    """
    t = torch.arange(T, device=device, dtype=torch.float32)[:, None]
    angles = t * 10000.0 ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _next_size(size: int, heads: int) -> int:
    step = heads if heads % 2 == 0 else 2 * heads
    return -(-size // step) * step
