"""The dot product as a score, scaled."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from lightning_seq.attention.scorer import Scorer, matched, matching, products


class ScaledDotScorer(Scorer):
    """Scaled dot product (Vaswani et al. 2017, eq. 1).

        k_s = h_s
        e_ts = q_t · k_s / √Q

    It needs queries and values of one width: where they differ, k_s = W h_s with a learned W `[Q, D]`, without bias.

    Parameters: none where Q = D, else Q*D.
    Elsewhere: d_k for Q.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__(query_size, value_size)
        self.key_size = query_size
        self.W = matching(query_size, value_size)
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S Q"]:
        return matched(values, self.W)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
        return products(query * self.query_size**-0.5, keys)
