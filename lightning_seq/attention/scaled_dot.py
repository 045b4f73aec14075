"""The dot product as a score, scaled."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.scorer import products


class ScaledDotScorer(DotScorer):
    """Scaled dot product (Vaswani et al. 2017, eq. 1).

        k_s = h_s
        e_ts = q_t · k_s / √Q

    If queries and values differ in width, k_s = W h_s with a learned W `[Q, D]`, without bias.

    Parameters: none if Q = D, else Q*D.
    Elsewhere: d_k for Q.
    """

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
        return products(query * self.query_size**-0.5, keys)
