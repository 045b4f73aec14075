"""The squashing functions of simple networks, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from lightning_seq.errors import UserError, near
from lightning_seq.value_types import OneOf


def identity(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "logistic": torch.sigmoid,
    "identity": identity,
}


Activation = Annotated[str, OneOf(ACTIVATIONS)]


def check_activation(name: str, key: str = "activation") -> str:
    """Raises UserError for a name that is not in `ACTIVATIONS`."""
    if name not in ACTIVATIONS:
        raise UserError(f"{key} {name!r} is unknown: {near(name, ACTIVATIONS)}")
    return name
