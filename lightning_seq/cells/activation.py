"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from lightning_seq.value_types import OneOf

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "logistic": torch.sigmoid,
    "identity": lambda x: x,
}

Activation = Annotated[str, OneOf(ACTIVATIONS)]
