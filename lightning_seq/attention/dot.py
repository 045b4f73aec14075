"""The dot product as a score."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from lightning_seq.attention.scorer import Scorer, matched, matching, products


class DotScorer(Scorer):
    """Dot product (Luong et al. 2015, eq. 8, `dot`).

        k_s = h_s
        e_ts = q_t · k_s

    If queries and values differ in width, k_s = W h_s with a learned W `[Q, D]`, without bias.

    Parameters: none if Q = D, else Q*D.
    Elsewhere: `dot`, multiplicative attention.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__(query_size, value_size)
        self.key_size = query_size
        self.W = matching(query_size, value_size)
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S Q"]:
        return matched(values, self.W)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
        return products(query, keys)
