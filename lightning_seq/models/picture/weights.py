"""Files of weights of encoders of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lightning_seq.errors import UserError, first_line

OF_MODEL, OF_LIBRARY = "picture.layers.", "body."
"""Before the names of an encoder's weights in a checkpoint of lightning_seq, and of a library's encoder in it."""


def load_weights(layers: nn.Module, path: str) -> None:
    """Give layers the weights of a file: a state dict of theirs (`.pt`, `.pth`, `.safetensors`), or a checkpoint of
    lightning_seq whose model has such an encoder. Further weights, such as those of a classifier, are left out.

    No code of the file is run. Raises UserError for a file that cannot be read, and for weights that do not fit.
    """
    fill(layers, read_weights(path), f"weights={path}")


def read_weights(path: str) -> dict[str, Tensor]:
    """Raises UserError for a file that is missing, or that is not one of weights."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"weights={path} is no file: expected a state dict (.pt, .pth, .safetensors), or null")
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers may raise anything on a damaged file
        raise UserError(
            f"weights={path} cannot be read safely ({first_line(error)}): expected a state dict of tensors alone "
            "(.pt, .pth, .safetensors), or a checkpoint of lightning-seq"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    inner = {name.partition(OF_MODEL)[2]: value for name, value in tensors.items() if OF_MODEL in name}
    return {name.removeprefix(OF_LIBRARY): value for name, value in (inner or tensors).items()}


def fill(layers: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Raises UserError, with `where`, for a weight that is missing or has another shape."""
    for name, own in layers.state_dict().items():
        if name not in weights:
            raise UserError(f"{where} does not fit this encoder: it has no {name}")
        if weights[name].shape != own.shape:
            raise UserError(
                f"{where} does not fit this encoder: {name} is {[*weights[name].shape]}, expected {[*own.shape]}"
            )
    layers.load_state_dict({name: weights[name] for name in layers.state_dict()})
