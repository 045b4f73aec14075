"""Encoders of frames, and models of the next frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.errors import UserError
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.models.conv_lstm import ConvLSTMEncoder
from lightning_seq.models.frame_predictor import FramePredictor
from lightning_seq.models.frames import FrameEncoder, PixelVectors
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.tasks.next_frame import NextFramePrediction


def clips(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_every_frame_is_encoded_alone_and_strips_like_clips() -> None:
    torch.manual_seed(0)
    encoder = FrameEncoder(ConvolutionalEncoder(3, (8, 6), (4, 5)), 7).eval()
    x = clips(2, 3, 3, 8, 6)
    vectors = encoder(x)
    assert vectors.shape == (2, 3, 7)
    torch.testing.assert_close(vectors[1, 2], encoder(x[1:, 2:])[0, 0])
    flat = functional.layer_norm(
        encoder.joined(encoder.picture(x[0]).flatten(1)), (7,), encoder.norm.weight, encoder.norm.bias
    )
    torch.testing.assert_close(vectors[0], flat)
    strips = torch.cat([*x.unbind(1)], -1)  # [B, C, H, T · W]
    encoder.frames = 3
    torch.testing.assert_close(encoder(strips), vectors)
    assert PixelVectors(3 * 8 * 6)(x)[1, 2, 5] == x[1, 2].flatten()[5] / 255


def test_a_convolutional_lstm_reads_patches() -> None:
    torch.manual_seed(0)
    encoder = ConvLSTMEncoder(4 * 6, (4, 6), hidden_size=3, patch=2)
    x, mask = torch.rand(2, 5, 24), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    encoded = encoder(x, mask)
    cell = encoder.layers[0].cell
    assert isinstance(cell, ConvLSTMCell)
    patches = torch.stack([x.unflatten(-1, (4, 6))[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)], 2)
    expected, _ = Recurrent(cell, engine="loop")(patches, mask)
    torch.testing.assert_close(encoded.outputs, expected.flatten(2))
    torch.testing.assert_close(encoded.last, torch.stack([expected[0, 4], expected[1, 2]]).flatten(1))
    first = encoder(x[:, :2], mask[:, :2])
    rest = encoder(x[:, 2:], mask[:, 2:], first.state)
    torch.testing.assert_close(torch.cat([first.outputs, rest.outputs], 1), encoded.outputs)
    with pytest.raises(UserError, match=r"model.patch is 3, expected a divisor of 4 and 6 pixels"):
        ConvLSTMEncoder(24, (4, 6), patch=3)


def test_predicted_frames_depend_on_earlier_frames_alone() -> None:
    torch.manual_seed(0)
    mask, x = torch.ones(2, 4, dtype=torch.bool), clips(2, 4, 1, 6, 8)
    of_maps = FramePredictor(PixelVectors(48), ConvLSTMEncoder(48, (6, 8), 3, patch=2), (1, 6, 8))
    of_vectors = FramePredictor(PixelVectors(48), RecurrentEncoder(48, LSTMCell, 5), (1, 6, 8))
    for model in (of_maps, of_vectors):
        made = model(x, mask)
        assert made.shape == x.shape
        other = x.clone()
        other[:, 2:] = 0
        torch.testing.assert_close(model(other, mask)[:, :2], made[:, :2])
        assert not torch.allclose(model(other, mask)[:, 2:], made[:, 2:])
    both = RecurrentEncoder(48, LSTMCell, 5, bidirectional=True)
    with pytest.raises(UserError, match="this model sees it"):
        FramePredictor(PixelVectors(48), both, (1, 6, 8))


def test_scores_of_frames() -> None:
    true = clips(3, 1, 12, 12)
    mse, ssim = NextFramePrediction.frame_scores(true / 255, true)
    assert mse.tolist() == [0, 0, 0]
    np.testing.assert_allclose(ssim, 1, atol=1e-5)
    mse, ssim = NextFramePrediction.frame_scores(torch.zeros(3, 1, 12, 12), true)
    np.testing.assert_allclose(mse, (true.double() / 255).square().mean((1, 2, 3)), rtol=1e-6)
    assert ssim.shape == (3,)
    assert ssim.max() < 0.1
