"""A hidden state that is carried from batch to batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def mapped(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """`change` of every tensor of a state: layers of directions of tensors."""
    return change(state) if isinstance(state, Tensor) else tuple(mapped(part, change) for part in state)


def detached(state: Any) -> Any:
    """The same numbers, without the graph that made them."""
    return mapped(state, lambda tensor: tensor.detach())


def in_column_order(state: Any, gather: Callable[[Tensor], Any], world: int) -> Any:
    """The states of all ranks, `[B, …]` over the whole batch; rank r has columns r, r + world, …

    Every rank must call it.
    """
    if world == 1:
        return mapped(state, lambda tensor: tensor.detach().clone())
    return mapped(state, lambda tensor: gather(tensor.detach()).transpose(0, 1).flatten(0, 1))


def columns_of_rank(state: Any, rank: int, world: int) -> Any:
    """One rank's part of what `in_column_order` made, for any number of ranks."""
    return mapped(state, lambda tensor: tensor[rank::world].clone())
