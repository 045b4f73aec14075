"""The cosine of an angle as a score."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_seq.attention.scorer import Scorer, matched, matching, products
from lightning_seq.errors import UserError
from lightning_seq.value_types import Range

EPSILON = 1e-8
"""Added to squared lengths: the cosine of a zero vector with any vector is 0."""


class CosineScorer(Scorer):
    """Cosine similarity, sharpened by a temperature (Graves et al. 2014, eqs. 5-6, with β = 1/τ).

        k_s = h_s / |h_s|
        e_ts = (q_t / |q_t|) · k_s / τ

    |x| = √(x · x + 1e-8). If queries and values differ in width, W h_s replaces h_s, with a learned W `[Q, D]` without
    bias.

    Parameters: 1 if Q = D, else Q*D + 1.
    Elsewhere: content-based addressing; key strength β for 1/τ.

    temperature: initial value of τ, above 0; the scores lie in ±1/τ.
    learned:     whether τ is learned (as its logarithm).
    """

    def __init__(
        self,
        query_size: int,
        value_size: int,
        temperature: Annotated[float, Range(1e-6, 1e6)] = 0.1,
        learned: bool = True,
    ) -> None:
        super().__init__(query_size, value_size)
        if not 0 < temperature < math.inf:
            raise UserError(f"attention.temperature is {temperature}, expected a number above 0, such as 0.1")
        self.key_size = query_size
        self.temperature = float(temperature)
        self.W = matching(query_size, value_size)
        self.log_temperature = nn.Parameter(torch.empty(1)) if learned else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        if self.log_temperature is not None:
            nn.init.constant_(self.log_temperature, math.log(self.temperature))

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S Q"]:
        return direction(matched(values, self.W))

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
        τ = self.temperature if self.log_temperature is None else self.log_temperature.exp()
        return products(direction(query) / τ, keys)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, temperature={self.temperature}, learned={self.log_temperature is not None}"


def direction(x: Float[Tensor, "*lead Q"]) -> Float[Tensor, "*lead Q"]:
    """Vectors of length 1; zeros remain zeros, with a finite gradient."""
    return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + EPSILON)
