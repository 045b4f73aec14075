"""Convolutional LSTM over the frames of clips."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import Fraction, Layers, Size


class ConvLSTMEncoder(Encoder):
    """Layers of `ConvLSTMCell` over maps (Shi et al. 2015): inputs and outputs are maps as flat vectors.

    input_size:  D = C · H · W.
    space:       H and W.
    patch:       p x p pixels become the channels of one place of the maps (sec. 4.1 there).
    hidden_size: channels of the maps of every layer.
    kernel_size, peepholes: see `ConvLSTMCell`.
    dropout:     between layers.

    maps: the shape of an output, [channels, H / p, W / p].

    Raises UserError for a patch that does not divide the maps.
    """

    causal = stateful = True
    pooling = "last"

    def __init__(
        self,
        input_size: int,
        space: Sequence[int],
        hidden_size: Size = 16,
        patch: Size = 1,
        num_layers: Layers = 1,
        kernel_size: Size = 3,
        peepholes: bool = False,
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__()
        pixels = space[0] * space[1]
        if input_size % pixels:
            raise UserError(f"model=conv_lstm reads maps of {space[0]} x {space[1]}, vectors came: use embedding=none")
        if any(side % patch for side in space):
            raise UserError(f"model.patch is {patch}, expected a divisor of {space[0]} and {space[1]} pixels")
        self.patch, self.input_shape = patch, (input_size // pixels, *space)
        space = [side // patch for side in space]
        channels = [self.input_shape[0] * patch**2, *[hidden_size] * num_layers]
        self.layers = nn.ModuleList(
            Recurrent(ConvLSTMCell(before, hidden_size, space, kernel_size, peepholes)) for before in channels[:-1]
        )
        self.between = Dropout(check_rate("model.dropout", dropout))
        self.maps = (hidden_size, *space)
        self.output_size = self.final_size = hidden_size * space[0] * space[1]

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        maps, final = pixel_unshuffle(x.unflatten(-1, self.input_shape), self.patch), []
        for number, layer in enumerate(self.layers):
            x = self.between(maps) if number else maps
            run = layer.run(x, mask, None if state is None else state[number][0])  # type: ignore[operator]
            maps = run.outputs
            final.append((run.state,))
        return Encoded(maps.flatten(2), mask, tuple(final), run.last.flatten(1))

    def engines(self, x: Tensor) -> list[str]:
        return ["loop"] * len(self.layers)
