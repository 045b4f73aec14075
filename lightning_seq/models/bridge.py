"""From where an encoder ends to where a decoder starts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.errors import UserError, near

BRIDGES = ("linear", "copy", "sum", "zeros")
LayerState = tuple[State, ...]


class Bridge(nn.Module):
    """A decoder's first state from an encoder's last one; the two may be of different cells.

    kind:     `linear`, for each tensor s of each layer of the decoder (Cho et al. 2014, eq. 5)

                  s_0 = tanh(W_s [all tensors of the encoder's layer] + b_s)

              `copy`, each tensor as it is, the directions side by side; `sum`, of the directions; `zeros`, whatever the
              encoder says.
    encoder:  the cells of each of its layers, one for each direction.
    decoder:  the cell of each of its layers.

    A layer reads the encoder's layer of the same height, or the top one where the depths differ. With `copy` and `sum`
    a tensor that the encoder's cell does not have (the c of an LSTM after a GRU) starts at zero. Integer and boolean
    tensors (step counters) stay behind: the decoder's start as its cell makes them.

    Raises UserError for an unknown kind, and where a tensor to be copied has another width.
    """

    def __init__(self, kind: str, encoder: Sequence[Sequence[Cell]], decoder: Sequence[Cell]) -> None:
        super().__init__()
        if kind not in BRIDGES:
            raise UserError(f"model.bridge is {kind!r}: {near(str(kind), BRIDGES)}")
        self.kind = kind
        self.decoder, self.encoder = tuple(decoder), tuple(tuple(cells) for cells in encoder)
        equal = len(encoder) == len(decoder)
        self.read = [layer if equal else len(encoder) - 1 for layer in range(len(decoder))]
        self.widths = [list(_widths(cell).values()) for cell in decoder]
        self.products = nn.ModuleList()
        for layer, widths in zip(self.read, self.widths, strict=True):
            given = [_widths(cell).values() for cell in encoder[layer]]
            if kind == "linear":
                whole = sum(map(sum, given))
                self.products.append(nn.ModuleList(nn.Linear(whole, width) for width in widths))
            elif kind in ("copy", "sum"):
                for parts, width in zip(zip(*given, strict=True), widths, strict=False):
                    found = sum(parts) if kind == "copy" else parts[0]
                    if found != width:
                        raise UserError(
                            f"model.bridge={kind} brings {found} numbers to a decoder of {width}: give "
                            f"model.decoder_hidden_size={found}, or use model.bridge=linear"
                        )

    def forward(self, state: Sequence[LayerState]) -> LayerState:
        """The encoder's final state (layers of directions of tensors) to a state `(h, …)` for each decoder layer."""
        started = []
        for number, (read, cell) in enumerate(zip(self.read, self.decoder, strict=True)):
            directions = tuple(
                tuple(tensors[place].reshape(-1, width) for place, width in _widths(one).items())
                for tensors, one in zip(state[read], self.encoder[read], strict=True)
            )
            made = self._layer(number, directions, self.widths[number], directions[0][0])
            start = list(cell.initial_state(made[0]))
            for place, tensor in zip(_widths(cell), made, strict=True):
                start[place] = tensor.reshape(start[place].shape)
            started.append(tuple(start))
        return tuple(started)

    def _layer(self, number: int, directions: LayerState, widths: Sequence[int], like: Tensor) -> State:
        if self.kind == "zeros":
            return tuple(like.new_zeros(len(like), width) for width in widths)
        if self.kind == "linear":
            whole = torch.cat([tensor for direction in directions for tensor in direction], 1)
            products = self.products[number]
            assert isinstance(products, nn.ModuleList)
            return tuple(torch.tanh(product(whole)) for product in products)
        joined = [
            torch.cat(parts, 1) if self.kind == "copy" else torch.stack(parts).sum(0)
            for parts in zip(*directions, strict=True)
        ]
        missing = [like.new_zeros(len(like), width) for width in widths[len(joined) :]]
        return (*joined[: len(widths)], *missing)

    def extra_repr(self) -> str:
        return f"kind={self.kind!r}"


def _widths(cell: Cell) -> dict[int, int]:
    """How many numbers each tensor of the state has, by its place, of those that hold real ones."""
    return {place: prod(shape) for place, shape in enumerate(cell.state_shapes) if place not in cell.counters()}
