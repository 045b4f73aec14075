"""From the last state of an encoder to the first state of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.recurrent import LayerState

BRIDGES = ("linear", "copy", "sum", "zeros")


class Bridge(nn.Module):
    """A decoder's first state from an encoder's last state; their cells may differ.

    kind:     `linear`, for each tensor s of each layer of the decoder (Cho et al. 2014, eq. 5)

                  s_0 = tanh(W_s [all tensors of the encoder's layer] + b_s)

              `copy`: the directions of each tensor, concatenated; `sum`: their sum; `zeros`.
    encoder:  the cells of each layer, one for each direction.
    decoder:  the cell of each layer.

    A layer reads the encoder's layer of the same height, or the top one if the depths differ. With `copy` and `sum` a
    tensor that the encoder's cell lacks (the c of an LSTM after a GRU) starts at zero. Integer and boolean tensors
    (step counters) are not copied: they start as in the decoder's cell.

    Raises UserError for an unknown kind, and if a copied tensor has another width.
    """

    def __init__(self, kind: str, encoder: Sequence[Sequence[Cell]], decoder: Sequence[Cell]) -> None:
        super().__init__()
        self.kind = one_of("model.bridge", kind, BRIDGES)
        self.decoder, self.encoder = tuple(decoder), tuple(tuple(cells) for cells in encoder)
        equal = len(encoder) == len(decoder)
        self.read = [layer if equal else len(encoder) - 1 for layer in range(len(decoder))]
        self.widths = [list(_widths(cell).values()) for cell in decoder]
        self.products = nn.ModuleList()
        for layer, widths in zip(self.read, self.widths, strict=True):
            encoder_widths = [_widths(cell).values() for cell in encoder[layer]]
            if kind == "linear":
                total = sum(map(sum, encoder_widths))
                self.products.append(nn.ModuleList(nn.Linear(total, width) for width in widths))
            elif kind in ("copy", "sum"):
                for parts, width in zip(zip(*encoder_widths, strict=True), widths, strict=False):
                    copied = sum(parts) if kind == "copy" else parts[0]
                    if copied != width:
                        raise UserError(
                            f"model.bridge={kind} brings {copied} numbers to a decoder of {width}: give "
                            f"model.decoder_hidden_size={copied}, or use model.bridge=linear"
                        )

    def forward(self, state: Sequence[LayerState]) -> LayerState:
        """The encoder's final state (layers of directions of tensors) to a state `(h, …)` for each decoder layer."""
        started = []
        for number, (read, cell) in enumerate(zip(self.read, self.decoder, strict=True)):
            directions = tuple(
                tuple(tensors[index].reshape(-1, width) for index, width in _widths(encoder_cell).items())
                for tensors, encoder_cell in zip(state[read], self.encoder[read], strict=True)
            )
            real = self._layer(number, directions)
            start = list(cell.initial_state(real[0]))
            for index, tensor in zip(_widths(cell), real, strict=True):
                start[index] = tensor.reshape(start[index].shape)
            started.append(tuple(start))
        return tuple(started)

    def _layer(self, number: int, directions: LayerState) -> State:
        """The real tensors of a decoder layer's first state, each `[B, width]`."""
        widths, like = self.widths[number], directions[0][0]
        if self.kind == "zeros":
            return tuple(like.new_zeros(len(like), width) for width in widths)
        if self.kind == "linear":
            tensors = torch.cat([tensor for direction in directions for tensor in direction], 1)
            return tuple(torch.tanh(product(tensors)) for product in self.products[number].children())
        joined = [
            torch.cat(parts, 1) if self.kind == "copy" else torch.stack(parts).sum(0)
            for parts in zip(*directions, strict=True)
        ]
        missing = [like.new_zeros(len(like), width) for width in widths[len(joined) :]]
        return (*joined[: len(widths)], *missing)

    def extra_repr(self) -> str:
        return f"kind={self.kind!r}"


def _widths(cell: Cell) -> dict[int, int]:
    """The number of elements of each real tensor of the state, by its index."""
    return {index: prod(shape) for index, shape in enumerate(cell.state_shapes) if index not in cell.counters()}
