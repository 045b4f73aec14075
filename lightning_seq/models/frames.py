"""Vectors of the frames of a clip."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lightning_seq.models.picture.encoder import PictureEncoder


class FrameVectors(nn.Module):
    """width: of the vector of a frame."""

    width: int

    def set_epoch(self, epoch: int) -> None:
        """Nothing to thaw."""


class PixelVectors(FrameVectors):
    """The pixels of each frame, 0 to 1, as one vector: `[B, T, C, H, W]` to `[B, T, C · H · W]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, frames: UInt8[Tensor, "B T C H W"]) -> Float[Tensor, "B T E"]:
        return frames.flatten(2).to(torch.get_default_dtype()) / 255


class FrameEncoder(FrameVectors):
    """One encoder of pictures for all frames, and a linear layer from the vectors of all places of a frame to one.

        x_t = norm(W [v_1 ; … ; v_S] + b),  v_1 … v_S = picture(frame t)

    Where a thing is stays known: a mean over the places would lose it. The layer normalisation (Ba et al. 2016) lets a
    recurrence learn from small changes between frames: vectors of frames that are mostly background are nearly equal.

    frames: of a strip, see `FilmStrip`; 0: the inputs are clips `[B, T, C, H, W]`.

    grid: of a strip: one row with a place for each frame.
    """

    def __init__(self, picture: PictureEncoder, width: int, frames: int = 0) -> None:
        super().__init__()
        self.picture, self.width, self.frames = picture, width, frames
        self.output_size, self.grid = width, (1, frames)
        places = picture.grid[0] * picture.grid[1]
        self.joined, self.norm = nn.Linear(places * picture.output_size, width), nn.LayerNorm(width)

    def forward(self, inputs: UInt8[Tensor, "B T C H W"] | UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B T E"]:
        if self.frames:
            inputs = inputs.unflatten(-1, (self.frames, -1)).permute(
                0, 3, 1, 2, 4
            )  # [B, C, H, T, W] to [B, T, C, H, W]
        vectors: Tensor = self.picture(inputs.flatten(0, 1))
        return self.norm(self.joined(vectors.flatten(1))).unflatten(0, inputs.shape[:2])
