"""Scores of positions, from the query alone."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.scorer import Scorer
from lightning_seq.errors import UserError, at_least_one
from lightning_seq.value_types import Range


class LocationScorer(Scorer):
    """A score for each position, from the query alone (Luong et al. 2015, eq. 8, `location`).

        e_ts = W_s q_t

    Row W_s of W `[L, Q]` belongs to position s.

    Parameters: L*Q.
    Elsewhere: location-based alignment.

    max_length: L, the length of the longest source. Raises UserError for a longer one.
    """

    by_place = True

    def __init__(self, query_size: int, value_size: int, max_length: Annotated[int, Range(1, 1_000_000)] = 200) -> None:
        super().__init__(query_size, value_size)
        self.key_size = 0
        self.max_length = at_least_one("attention.max_length", max_length)
        self.W = nn.Parameter(torch.empty(max_length, query_size))
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S 0"]:
        if values.shape[1] > self.max_length:
            raise UserError(
                f"a source has {values.shape[1]} positions, attention=location has {self.max_length}: "
                f"set attention.max_length={values.shape[1]} and train again, or cut with data.max_length"
            )
        return values[..., :0]

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S 0"]) -> Float[Tensor, "B 1 T S"]:
        return functional.linear(query, self.W[: keys.shape[1]])[:, None]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, max_length={self.max_length}"
