"""A recurrent network over the outputs of a convolution."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from lightning_seq.cells.activation import Activation
from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError, near
from lightning_seq.models.convolution import Convolution
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import ArgumentsOf, Size


class ConvolutionRecurrent(Encoder):
    """A convolution for short patterns, and a recurrent network for their order (Zhou et al. 2015, "A C-LSTM neural
    network for text classification", sec. 3).

        y = Convolution(x),  h = RecurrentEncoder(y)

    input_size: D, or V for token ids.
    cell:       makes a cell from (input_size, hidden_size).
    widths, channels, convolution_activation, causal: of the layer of convolution (`models/convolution.py`).
    bidirectional, recurrent: arguments of `RecurrentEncoder`.

    Raises UserError for wrong arguments of either part, and for a causal convolution under a bidirectional network.
    """

    def __init__(
        self,
        input_size: int,
        cell: Callable[[int, int], Cell],
        widths: Sequence[Size] = (3,),
        channels: Size = 100,
        convolution_activation: Activation = "relu",
        causal: bool = False,
        bidirectional: bool = True,
        **recurrent: Annotated[Any, ArgumentsOf(RecurrentEncoder)],
    ) -> None:
        super().__init__()
        if causal and bidirectional:
            raise UserError(
                "model.causal=true under a recurrent network that reads both ways sees the future all the same: "
                "set model.bidirectional=false as well"
            )
        known = inspect.signature(RecurrentEncoder).parameters
        for key in recurrent:
            if key not in known:
                raise UserError(f"ConvolutionRecurrent takes no argument {key!r}; {near(key, known)}")
        self.convolution = Convolution(input_size, widths, channels, convolution_activation, causal)
        width = self.convolution.output_size
        self.recurrent = RecurrentEncoder(width, cell, bidirectional=bidirectional, **recurrent)
        self.output_size, self.final_size = self.recurrent.output_size, self.recurrent.final_size
        self.causal = causal

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """`[B, T, D]` or ids `[B, T]` to the outputs and state of `RecurrentEncoder`."""
        return self.recurrent(self.convolution(x, mask).outputs, mask)

    def engines(self, x: Tensor) -> list[str]:
        return self.recurrent.engines(torch.empty(1, 1, self.convolution.output_size, device=x.device))
