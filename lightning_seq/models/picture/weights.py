"""Files of weights of encoders of pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lightning_seq.errors import UserError
from lightning_seq.files import place

OF_MODEL, OF_LIBRARY = "picture.layers.", "body."
"""Before the names of an encoder's weights in a checkpoint of lightning_seq, and of a library's encoder in it."""
COUNTER = "num_batches_tracked"
NOT_OURS = re.compile(rf"(^|\.)(fc|classifier|heads?|head_dist|aux\w*)(\.|$)|{COUNTER}$", re.IGNORECASE)
"""Weights of a file that an encoder may lack: those of classifiers, and counters that old files lack too."""


def load_weights(layers: nn.Module, path: str) -> None:
    """Give layers the weights of a file: a state dict of theirs (`.pt`, `.pth`, `.safetensors`), or a checkpoint of
    lightning_seq whose model has such an encoder. Further weights, such as those of a classifier, are left out.

    No code of the file is run. Raises UserError for a file that cannot be read, and for weights that do not fit.
    """
    fill(layers, read_weights(path), f"weights={path}")


def read_weights(path: str) -> dict[str, Tensor]:
    """Raises UserError for a file that is missing, or that is not one of weights."""
    file = place(path, "weights")
    if not file.is_file():
        raise UserError(f"weights={path} is no file: expected a state dict (.pt, .pth, .safetensors), or null")
    try:
        is_safe = file.suffix.lower() == ".safetensors"
        loaded: object = load_file(file) if is_safe else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers may raise anything on a damaged file
        raise UserError(
            f"weights={path} cannot be read safely ({type(error).__name__}): expected a state dict of tensors alone "
            "(.pt, .pth, .safetensors), or a checkpoint of lightning-seq"
        ) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    items = state.items() if isinstance(state, Mapping) else ()
    tensors = {name: value for name, value in items if isinstance(name, str) and isinstance(value, Tensor)}
    inner = {name.partition(OF_MODEL)[2]: value for name, value in tensors.items() if OF_MODEL in name}
    return {name.removeprefix(OF_LIBRARY): value for name, value in (inner or tensors).items()}


def fill(layers: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Raises UserError, with `where`, for a weight that is missing, that the layers lack, of another shape, or not of
    finite numbers."""
    own = {name: value for name, value in layers.state_dict().items() if not name.endswith(COUNTER)}
    missing = next((name for name in own if name not in weights), None)
    unknown = next((name for name in weights if name not in own and not NOT_OURS.search(name)), None)
    other = next((name for name in own if name in weights and weights[name].shape != own[name].shape), None)
    if missing or unknown:
        raise UserError(
            f"{where} does not fit this encoder: {missing or unknown} is {'missing' if missing else 'no part of it'}"
        )
    if other:
        shapes = [*weights[other].shape], [*own[other].shape]
        raise UserError(f"{where} does not fit this encoder: {other} is {shapes[0]}, expected {shapes[1]}")
    for name in own:
        if not _finite(weights[name]):
            raise UserError(
                f"{where} does not fit this encoder: {name} is no dense tensor of finite numbers; give another file"
            )
    layers.load_state_dict({name: weights[name] for name in own}, strict=False)


def _finite(weight: Tensor) -> bool:
    """Whether a weight is a plain tensor of real numbers, all finite in the precision of a model."""
    if weight.layout != torch.strided or weight.is_meta or not weight.is_floating_point() or weight.is_quantized:
        return False
    return bool(weight.float().isfinite().all())
