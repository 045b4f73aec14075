"""A small network as a scorer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.scorer import Scorer
from lightning_seq.errors import at_least_one
from lightning_seq.value_types import Size


class AdditiveScorer(Scorer):
    """A network of one hidden layer (Bahdanau et al. 2015, app. A.1.2).

        k_s = U h_s
        e_ts = v · tanh(W q_t + k_s)

    W `[A, Q]`, U `[A, D]` and v `[A]` are the paper's W_a, U_a and v_a.

    Parameters: A*Q + A*D + A.
    Elsewhere: MLP attention; `concat` (Luong et al. 2015) has W and U in one matrix.

    hidden_size: A; None: Q, as in the paper.
    bias:        add a learned b `[A]` to k_s (See et al. 2017, eq. 1).
    """

    def __init__(self, query_size: int, value_size: int, hidden_size: Size | None = None, bias: bool = False) -> None:
        super().__init__(query_size, value_size)
        A = query_size if hidden_size is None else at_least_one("attention.hidden_size", hidden_size)
        self.hidden_size = self.key_size = A
        self.W = nn.Parameter(torch.empty(A, query_size))
        self.U = nn.Parameter(torch.empty(A, value_size))
        self.b = nn.Parameter(torch.empty(A)) if bias else None
        self.v = nn.Parameter(torch.empty(A))
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S A"]:
        return functional.linear(values, self.U, self.b)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B 1 T S"]:
        return network(functional.linear(query, self.W), keys, self.v)


def network(query: Float[Tensor, "B T A"], keys: Float[Tensor, "B S A"], v: Float[Tensor, "A"]) -> Tensor:
    """`[B, 1, T, S]`: v · tanh(query + key) for every pair."""
    hidden = (query[:, :, None] + keys[:, None]).tanh_()  # B T S A, the one large tensor: in place
    return (hidden @ v)[:, None]
