"""Local attention: a window over the source, and where it stands."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


class Window(NamedTuple):
    """open `[B, T, S]`: the places a query may look at; emphasis `[B, T, S]`: what its weights are multiplied with."""

    open: Tensor
    emphasis: Tensor | None = None


class Monotonic(nn.Module):
    """A window that moves on by one place at a step (Luong et al. 2015, sec. 3.2, local-m).

        p_t = t
        s is open where |s - p_t| ≤ D

    Steps and places count from 0. A target may be longer than its source: once the window holds nothing but the last
    place it stays there, so that no step is left without a source.
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
    """A window where the query predicts it, with a bell over it (Luong et al. 2015, eqs. 9-10, local-p).

        p_t = S σ(v · tanh(W q_t))
        s is open where |s - p_t| ≤ D
        a_ts = softmax_s(e_t) exp(-(s - p_t)² / (2 σ²)),  σ = D/2

    S is the length of the row's own source, W `[Q, Q]` and v `[Q]` are the paper's W_p and v_p. Because of the bell the
    weights of a query do not sum to 1.
    """

    def __init__(self, query_size: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.W = nn.Parameter(torch.empty(query_size, query_size))
        self.v = nn.Parameter(torch.empty(query_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√Q, as torch initialises a linear layer."""
        for parameter in self.parameters():
            bound = parameter.shape[-1] ** -0.5
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, query: Float[Tensor, "B T Q"], mask: Bool[Tensor, "B S"], start: Int[Tensor, "B"] | None = None
    ) -> Window:
        share = torch.sigmoid(torch.tanh(functional.linear(query, self.W)) @ self.v)
        p_t = mask.sum(1, keepdim=True) * share
        places = torch.arange(mask.shape[1], device=query.device)
        distance = places - p_t[..., None]  # B T S
        return Window(distance.abs() <= self.window, torch.exp(-0.5 * (distance / (self.window / 2)) ** 2))
