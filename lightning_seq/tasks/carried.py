"""A hidden state that is carried from batch to batch: layers of directions of tensors."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lightning_seq.spec import State


def mapped(state: State, change: Callable[[Tensor], Tensor]) -> State:
    """The state with every tensor changed."""
    return tuple(tuple(tuple(map(change, tensors)) for tensors in layer) for layer in state)


def detached(state: State) -> State:
    return mapped(state, lambda tensor: tensor.detach())


def in_column_order(state: State, gather: Callable[[Tensor], Tensor], world: int) -> State:
    """The states of all ranks, `[B, …]` over the whole batch; rank r has columns r, r + world, …

    Every rank must call it.
    """
    if world == 1:
        return mapped(state, lambda tensor: tensor.detach().clone())
    return mapped(state, lambda tensor: gather(tensor.detach()).transpose(0, 1).flatten(0, 1))


def columns_of_rank(state: State, rank: int, world: int) -> State:
    """The columns of one of any number of ranks, from the result of `in_column_order`."""
    return mapped(state, lambda tensor: tensor[rank::world].clone())
