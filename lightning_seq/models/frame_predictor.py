"""The next frame of a clip."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.conv_lstm import ConvLSTMEncoder
from lightning_seq.models.encoder import Encoder, EncoderModel


class FramePredictor(EncoderModel):
    """The frame after each frame, as scores `[B, T, C, H, W]` of its pixels before the logistic function.

    The head is a 1 x 1 convolution of an encoder's maps, or a linear layer of its vectors.

    embedding: from clips `[B, T, C, H, W]` to vectors of frames.
    shape:     C, H and W.
    dropout:   on the outputs of an encoder of vectors.

    Raises UserError for an encoder that sees the frames to predict.
    """

    def __init__(
        self, embedding: nn.Module, encoder: Encoder, shape: tuple[int, int, int], dropout: float = 0.0
    ) -> None:
        super().__init__()
        if not encoder.causal:
            raise UserError("the next frame is to be predicted, and this model sees it: use one direction, model=lstm")
        self.embedding, self.encoder, self.shape = embedding, encoder, shape
        if isinstance(encoder, ConvLSTMEncoder):
            self.head: nn.Module = MapHead(encoder.maps, shape[0], encoder.patch)
        else:
            pixels = shape[0] * shape[1] * shape[2]
            self.head = nn.Sequential(
                Dropout(check_rate("task.dropout", dropout)), nn.Linear(encoder.output_size, pixels)
            )

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        outputs = self.encoder(self.embedding(inputs), mask).outputs
        return self.head(outputs).unflatten(-1, self.shape)


class MapHead(nn.Module):
    """A 1 x 1 convolution of maps to frames, whose patches it fills; from and to flat vectors `[B, T, …]`."""

    def __init__(self, maps: tuple[int, ...], channels: int, patch: int) -> None:
        super().__init__()
        self.maps, self.patch, self.convolution = maps, patch, nn.Conv2d(maps[0], channels * patch**2, 1)

    def forward(self, outputs: Tensor) -> Tensor:
        made = pixel_shuffle(self.convolution(outputs.flatten(0, 1).unflatten(-1, self.maps)), self.patch)
        return made.flatten(1).unflatten(0, outputs.shape[:2])
