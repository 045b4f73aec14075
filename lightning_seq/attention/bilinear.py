"""A bilinear form as a score."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.scorer import Scorer, products


class BilinearScorer(Scorer):
    """Bilinear form (Luong et al. 2015, eq. 8, `general`).

        k_s = W h_s
        e_ts = q_t · k_s

    W `[Q, D]` is the paper's W_a.

    Parameters: Q*D.
    Elsewhere: `general`; h^T W z; multiplicative attention.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__(query_size, value_size)
        self.key_size = query_size
        self.W = nn.Parameter(torch.empty(query_size, value_size))
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S Q"]:
        return functional.linear(values, self.W)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B 1 T S"]:
        return products(query, keys)
