"""The contract of a scorer: how well each place of the source answers a query."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import at_least_one


class Scorer(nn.Module, ABC):
    """How well each place of the source answers a query; what is asked for is then a mean of what stands there.

    query_size:   Q, width of a query (the decoder's state).
    value_size:   D, width of what the encoder gives at a place.
    key_size:     K, width of what `keys` makes of it; 0 where scores do not look at what stands there.
    context_size: C, width of what `context` gives.
    heads:        how many distributions over the places there are.
    by_place:     whether a score depends on the place's number, beside what stands there.

    A subclass takes `(query_size, value_size, **its own options)`, hands the two sizes on to this constructor, and sets
    `key_size`, `context_size` and `heads` where they differ from D, D and 1.
    """

    heads: int = 1
    by_place: bool = False

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.query_size = at_least_one("query_size", query_size)
        self.value_size = at_least_one("value_size", value_size)
        self.key_size = self.context_size = value_size

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S K"]:
        """All of a score that depends on the source alone, once per sentence."""
        return values

    def values(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S C"]:
        """What a context is the mean of, once per sentence."""
        return values

    @abstractmethod
    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B heads T S"]:
        """T queries at once, each as if it were alone; what stands at padded places does not matter."""

    def context(
        self, weights: Float[Tensor, "B heads T S"], values: Float[Tensor, "B S C"]
    ) -> Float[Tensor, "B T context"]:
        """The mean of `values`, weighted; zeros where all weights are."""
        return torch.bmm(weights[:, 0], values)

    def reset_parameters(self) -> None:
        """Uniform in ±1/√n, n the last dimension, as torch initialises a linear layer."""
        for parameter in self.parameters(recurse=False):
            bound = parameter.shape[-1] ** -0.5
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        return f"{self.query_size}, {self.value_size}"


def matching(query_size: int, value_size: int) -> nn.Parameter | None:
    """`W [Q, D]`, which brings values to the width of queries; None where they have it."""
    return None if query_size == value_size else nn.Parameter(torch.empty(query_size, value_size))


def matched(values: Float[Tensor, "B S D"], W: Tensor | None) -> Float[Tensor, "B S Q"]:
    return values if W is None else functional.linear(values, W)


def products(query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
    """Every query times every key."""
    return torch.bmm(query, keys.transpose(1, 2))[:, None]
