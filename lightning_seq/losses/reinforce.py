"""The gradient of choices that were drawn: REINFORCE with a moving baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_seq.value_types import Range, Weight


@dataclass(frozen=True)
class Reinforce:
    """weight: λ_r, which the paper does not give: with 1 the noise of the rewards fixes the attention before it is
    learnt; entropy: λ_e; decay: of the baseline (Xu et al. 2015, sec. 4.1)."""

    weight: Weight = 0.1
    entropy: Weight = 0.002
    decay: Annotated[float, Range(0, 1)] = 0.9

    def loss(
        self,
        log_likelihood: Float[Tensor, "B T"],
        chosen: Float[Tensor, "B T"],
        weights: Float[Tensor, "B T S"],
        mask: Bool[Tensor, "B T"],
        baseline: Float[Tensor, ""],
        later: bool = True,
    ) -> Float[Tensor, ""]:
        """Summed over the batch, the terms that the likelihood of the words lacks (ibid., the last equation of the
        section), for minimising:

            - Σ_n Σ_t λ_r r_nt log p(s_nt) - λ_e Σ_n Σ_t H(s_nt),  r_nt = Σ_{u ≥ t} (log p(y_nu | s_n) - b)

        The paper's r_nt has the words before t too. They do not depend on s_nt: without them the expected gradient is
        the same, and its variance smaller (Sutton et al. 2000).

        log_likelihood: of each word; chosen: ln of the probability of what was drawn, 0 for what was not; b: the
        baseline, for one word; later: whether the words after t depend on s_nt; else r_nt is of y_nt alone.
        """
        reward = (log_likelihood.detach() - baseline) * mask
        if later:
            reward = reward.flip(1).cumsum(1).flip(1)
        drawn = (reward * chosen * mask).sum()
        entropies = torch.special.entr(weights).sum(-1)[mask].sum()
        return -self.weight * drawn - self.entropy * entropies
