"""Features of pictures that a frozen encoder makes once."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import torch

from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.models.frames import FrameEncoder, FrameVectors, PixelVectors
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.spec import Grid

LEFT_OUT = ("weights", "frozen", "width")
"""Settings that do not change the features; the fingerprint covers the weights themselves."""


class FrozenFeatures:
    """The features of a frozen encoder whose layers are the same for every seed of a run; see `data.FeatureMaker`."""

    def __init__(self, encoder: PictureEncoder, settings: Config, device: str = "cpu") -> None:
        encoder.reset_features()
        self.name = str(settings.get("name") or type(encoder).__name__)
        self.encoder, self.device = encoder.to(device), device
        self.shape = encoder.grid[0] * encoder.grid[1], encoder.features_size
        kept = {key: value for key, value in settings.items() if key not in LEFT_OUT}
        digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
        for name, tensor in encoder.layers.state_dict().items():
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        self.fingerprint = digest.hexdigest()[:16]

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """`[B, channels, height, width]` uint8 to `[B, S, F]` float32."""
        made: np.ndarray = self.encoder.features(torch.from_numpy(pictures).to(self.device)).float().cpu().numpy()
        return made


def frozen_features(config: Config, channels: int, size: tuple[int, int]) -> FrozenFeatures:
    """The encoder of `data.features`. Raises UserError for weights that do not fit."""
    gpu = config["trainer"]["accelerator"] != "cpu" and torch.cuda.is_available()
    encoder = picture_encoder(config, {}, channels, size)
    return FrozenFeatures(encoder, config["data"]["features"], "cuda" if gpu else "cpu")


def picture_encoder(config: Config, node: Config, channels: int, size: tuple[int, int]) -> PictureEncoder:
    """The encoder of `data.features`, frozen, or that of a node such as those of `conf/model/picture`.

    Raises UserError for another class.
    """
    features = config.get("data", {}).get("features")
    node = features or node
    made = factory(node, "model", config["allow"])(channels, size)
    if not isinstance(made, PictureEncoder):
        raise UserError(
            f"{node['_target_']} is no encoder of pictures: expected a subclass of "
            "lightning_seq.models.picture.encoder.PictureEncoder"
        )
    if features and not made.frozen:
        made.freeze()
    return made


def frame_vectors(config: Config, inputs: Grid, width: int) -> FrameVectors:
    """The vectors of the frames of clips: their pixels (embedding=none), or those of an encoder (embedding=frames).

    Raises UserError for another embedding.
    """
    settings, (height, width_of_frame) = config["embedding"], inputs.space
    if settings["kind"] == "none":
        return PixelVectors(width)
    if settings["kind"] != "frames":
        raise UserError(f"embedding={settings['kind']} is for words, these inputs are clips: use frames or none")
    picture = picture_encoder(config, settings["picture"], inputs.channels, (height, width_of_frame))
    return FrameEncoder(picture, width)
