"""The contract of a scorer: a score of each source position for each query."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import at_least_one


class Scorer(nn.Module, ABC):
    """A score of each source position for each query; the context is the mean of the values, weighted by their softmax.

    query_size:   Q, width of a query (the decoder's state).
    value_size:   D, width of an encoder output.
    key_size:     K, width of a key; 0 if the scores do not depend on keys.
    context_size: C, width of a context.
    heads:        the number of distributions over the positions.
    by_place:     whether a score depends on the number of the position.

    The constructor of a subclass takes `(query_size, value_size, **options)`, calls this one with the two sizes, and
    sets `key_size`, `context_size` and `heads` if they differ from D, D and 1.
    """

    heads: int = 1
    by_place: bool = False

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.query_size = at_least_one("query_size", query_size)
        self.value_size = at_least_one("value_size", value_size)
        self.key_size = self.context_size = value_size

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S K"]:
        """The part of a score that depends on the source alone, computed once per sentence."""
        return values

    def values(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S C"]:
        """The vectors whose mean is a context, computed once per sentence."""
        return values

    @abstractmethod
    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B heads T S"]:
        """Scores of T independent queries; those of padded positions have no effect."""

    def context(
        self, weights: Float[Tensor, "B heads T S"], values: Float[Tensor, "B S C"]
    ) -> Float[Tensor, "B T context"]:
        """The weighted mean of `values`; zeros if all weights are zero."""
        return torch.bmm(weights[:, 0], values)

    def reset_parameters(self) -> None:
        reset_uniform(self)

    def extra_repr(self) -> str:
        return f"{self.query_size}, {self.value_size}"


def reset_uniform(module: nn.Module) -> None:
    """The module's own parameters uniform in ±1/√n, n the last dimension, as torch initialises a linear layer."""
    for parameter in module.parameters(recurse=False):
        bound = parameter.shape[-1] ** -0.5
        nn.init.uniform_(parameter, -bound, bound)


def matching(query_size: int, value_size: int) -> nn.Parameter | None:
    """`W [Q, D]`, which projects values to the width of queries; None if they have the same width."""
    return None if query_size == value_size else nn.Parameter(torch.empty(query_size, value_size))


def matched(values: Float[Tensor, "B S D"], W: Tensor | None) -> Float[Tensor, "B S Q"]:
    return values if W is None else functional.linear(values, W)


def products(query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
    """Every query times every key."""
    return torch.bmm(query, keys.transpose(1, 2))[:, None]
