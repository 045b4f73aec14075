"""Refuse a wrong tensor before a computation reads it, with one line: the actual and the expected tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FLOATING = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
IDS = (torch.int64, torch.int32)
"""The types that torch's embeddings read."""

Size = int | str
"""A number, or a letter for any size; `…` at the front stands for any number of sizes."""


def check_tensor(
    owner: str,
    name: str,
    tensor: object,
    shape: Sequence[Size],
    like: Tensor | None,
    types: torch.dtype | tuple[torch.dtype, ...] | None = None,
) -> None:
    """Compares attributes alone: it reads no number and waits for no device.

    owner, name: the function and its argument, for the message.
    like:        a tensor on the same device; None for any device.
    types:       the allowed types; None for the type of `like`, and under autocast for every floating type.

    Raises TypeError for a value that is not a tensor and for another type, ValueError for another shape, another device
    and a tensor that is not dense (sparse, nested).
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{owner}: {name} is a {type(tensor).__name__}, expected a tensor {_shown(shape)}")
    if tensor.layout is not torch.strided or tensor.is_nested:
        raise ValueError(f"{owner}: {name} is a sparse or nested tensor, expected a dense one {_shown(shape)}")
    if isinstance(types, torch.dtype):
        types = (types,)
    right_type = _is_of(tensor, types, like)
    if right_type and _has(tensor.shape, shape) and (like is None or tensor.device == like.device):
        return
    allowed = types or (() if like is None else (like.dtype,))
    wanted = "floating" if allowed == FLOATING else " or ".join(map(_word, allowed))
    actual, expected = f"{_word(tensor.dtype)} {_shown(tensor.shape)}", f"{wanted} {_shown(shape)}"
    if like is not None and tensor.device != like.device:
        actual, expected = f"{actual} on {tensor.device}", f"{expected} on {like.device}"
    raise (ValueError if right_type else TypeError)(f"{owner}: {name} is {actual}, expected {expected}")


def _is_of(tensor: Tensor, types: tuple[torch.dtype, ...] | None, like: Tensor | None) -> bool:
    if types is not None:
        return tensor.dtype in types
    return like is None or tensor.dtype == like.dtype or (tensor.dtype in FLOATING and autocasts(like))


def autocasts(like: Tensor) -> bool:
    """Whether torch chooses the types of products on the device of `like`."""
    device = like.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def _has(shape: Sequence[int], wanted: Sequence[Size]) -> bool:
    if wanted and wanted[0] == "…":
        wanted = wanted[1:]
        shape = shape[max(0, len(shape) - len(wanted)) :]
    return len(shape) == len(wanted) and all(
        isinstance(size, str) or size == n for n, size in zip(shape, wanted, strict=True)
    )


def _shown(shape: Sequence[Size]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def keeps_graph() -> bool:
    """Whether this backward pass keeps its graph, so that saved tensors must stay for another pass."""
    ask = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return ask is None or bool(ask())
