"""Coverage: the attention so far."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Coverage(nn.Module):
    """Keys that depend on their position's past attention (See et al. 2017, eqs. 10-11; after Tu et al. 2016).

        c_t = Σ_{t'<t} a_t'
        k_ts = k_s + w c_ts

    w `[K]` is the paper's w_c; it starts at zero: the attention is then the same as without coverage.

    Parameters: K.
    """

    def __init__(self, key_size: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(key_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.w)

    def forward(self, keys: Float[Tensor, "B S K"], previous: Float[Tensor, "B S"]) -> Float[Tensor, "B S K"]:
        return torch.addcmul(keys, previous[..., None], self.w)
