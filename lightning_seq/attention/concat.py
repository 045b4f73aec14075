"""A small network over the concatenated query and value as a scorer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.additive import network
from lightning_seq.attention.scorer import Scorer
from lightning_seq.errors import at_least_one
from lightning_seq.value_types import Size


class ConcatScorer(Scorer):
    """A network over query and value (Luong et al. 2015, eq. 8, `concat`).

        e_ts = v · tanh(W [q_t; h_s])

    W `[A, Q+D]` and v `[A]` are the paper's W_a and v_a. The columns of W that meet h_s are applied once per sentence.
    It can represent the same scores as `additive`; its initial weights differ, because W is one matrix of Q+D inputs.

    Parameters: A*(Q + D) + A.
    Elsewhere: `concat`; additive attention.

    hidden_size: A; None: Q.
    """

    def __init__(self, query_size: int, value_size: int, hidden_size: Size | None = None) -> None:
        super().__init__(query_size, value_size)
        A = query_size if hidden_size is None else at_least_one("attention.hidden_size", hidden_size)
        self.hidden_size = self.key_size = A
        self.W = nn.Parameter(torch.empty(A, query_size + value_size))
        self.v = nn.Parameter(torch.empty(A))
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S A"]:
        return functional.linear(values, self.W[:, self.query_size :])

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B 1 T S"]:
        return network(functional.linear(query, self.W[:, : self.query_size]), keys, self.v)
