"""Several scaled dot products in parallel."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.scorer import Scorer
from lightning_seq.errors import UserError, at_least_one
from lightning_seq.value_types import Heads, Size


class MultiHeadScorer(Scorer):
    """Multi-head attention (Vaswani et al. 2017, sec. 3.2.2).

        e^i_ts = (W^i_q q_t) · (W^i_k h_s) / √d
        a^i_t = softmax_s(e^i_t)
        c_t = W_o [Σ_s a^1_ts W^1_v h_s; …; Σ_s a^N_ts W^N_v h_s]

    The N heads are d wide each, P = N d in all: W_q `[P, Q]`, W_k and W_v `[P, D]` hold a block of rows for each head,
    W_o is `[D, P]`: a context has the same width as other scorers'. No bias, as in the paper.

    Parameters: P*Q + 3*P*D.
    Elsewhere: h for N, d_k and d_v for d.

    heads:     N.
    head_size: d; None: Q / N. Raises UserError if that is not a whole number.
    """

    def __init__(self, query_size: int, value_size: int, heads: Heads = 4, head_size: Size | None = None) -> None:
        super().__init__(query_size, value_size)
        self.heads = at_least_one("attention.heads", heads)
        if head_size is None and query_size % heads:
            raise UserError(
                f"attention.heads is {heads}, which does not divide the queries' width {query_size}: "
                "choose a divisor, or give attention.head_size"
            )
        self.head_size = query_size // heads if head_size is None else at_least_one("attention.head_size", head_size)
        self.key_size = P = self.heads * self.head_size
        self.W_q = nn.Parameter(torch.empty(P, query_size))
        self.W_k = nn.Parameter(torch.empty(P, value_size))
        self.W_v = nn.Parameter(torch.empty(P, value_size))
        self.W_o = nn.Parameter(torch.empty(value_size, P))
        self.reset_parameters()

    def keys(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S P"]:
        return functional.linear(values, self.W_k)

    def values(self, values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S P"]:
        return functional.linear(values, self.W_v)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S P"]) -> Float[Tensor, "B heads T S"]:
        queries = self._split(functional.linear(query, self.W_q) * self.head_size**-0.5)
        return queries @ self._split(keys).transpose(2, 3)

    def context(self, weights: Float[Tensor, "B heads T S"], values: Float[Tensor, "B S P"]) -> Float[Tensor, "B T D"]:
        of_heads = weights @ self._split(values)  # B heads T d
        return functional.linear(of_heads.transpose(1, 2).flatten(2), self.W_o)

    def _split(self, x: Float[Tensor, "B T P"]) -> Float[Tensor, "B heads T d"]:
        return x.unflatten(-1, (self.heads, self.head_size)).transpose(1, 2)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, heads={self.heads}, head_size={self.head_size}"
