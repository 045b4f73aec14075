"""Local attention: a window over the source."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.scorer import reset_uniform


class Window(NamedTuple):
    """open `[B, T, S]`: the positions that a query attends to; emphasis `[B, T, S]`: factors of its weights."""

    open: Tensor
    emphasis: Tensor | None = None


class Monotonic(nn.Module):
    """A window that moves by one position per step (Luong et al. 2015, sec. 3.2, local-m).

        p_t = t
        s is open where |s - p_t| ≤ D

    Steps and positions count from 0. If the target is longer than its source, the window stops when only the last
    position is in it.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(
        self, query: Float[Tensor, "B T Q"], mask: Bool[Tensor, "B S"], start: Int[Tensor, "B"] | None = None
    ) -> Window:
        t = torch.arange(query.shape[1], device=query.device)
        t = t.expand(query.shape[:2]) if start is None else start[:, None] + t
        p_t = torch.minimum(t, mask.sum(1, keepdim=True) - 1 + self.window)
        places = torch.arange(mask.shape[1], device=query.device)
        return Window((places - p_t[..., None]).abs() <= self.window)


class Predictive(nn.Module):
    """A Gaussian window at a predicted position (Luong et al. 2015, eqs. 9-10, local-p).

        p_t = S σ(v · tanh(W q_t))
        s is open where |s - p_t| ≤ D
        a_ts = softmax_s(e_t) exp(-(s - p_t)² / (2 σ²)),  σ = D/2

    S is the length of the row's own source, W `[Q, Q]` and v `[Q]` are the paper's W_p and v_p. The weights of a query
    do not sum to 1, because of the Gaussian.
    """

    def __init__(self, query_size: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.W = nn.Parameter(torch.empty(query_size, query_size))
        self.v = nn.Parameter(torch.empty(query_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        reset_uniform(self)

    def forward(
        self, query: Float[Tensor, "B T Q"], mask: Bool[Tensor, "B S"], start: Int[Tensor, "B"] | None = None
    ) -> Window:
        share = torch.sigmoid(torch.tanh(functional.linear(query, self.W)) @ self.v)
        p_t = mask.sum(1, keepdim=True) * share
        places = torch.arange(mask.shape[1], device=query.device)
        distance = places - p_t[..., None]  # B T S
        return Window(distance.abs() <= self.window, torch.exp(-0.5 * (distance / (self.window / 2)) ** 2))
