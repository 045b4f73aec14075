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
    """weight: λ_r; entropy: λ_e; decay: of the baseline (Xu et al. 2015, sec. 4.1)."""

    weight: Weight = 1.0
    entropy: Weight = 0.002
    decay: Annotated[float, Range(0, 1)] = 0.9

    def loss(
        self,
        log_likelihood: Float[Tensor, "B T"],
        chosen: Float[Tensor, "B T"],
        weights: Float[Tensor, "B T S"],
        mask: Bool[Tensor, "B T"],
        baseline: Float[Tensor, ""],
    ) -> Float[Tensor, ""]:
        """Summed over the batch, the terms that the likelihood of the words lacks (ibid., the last equation of the
        section), for minimising:

            - Σ_n λ_r (log p(y_n | s_n) - b) Σ_t log p(s_nt) - λ_e Σ_n Σ_t H(s_nt)

        log_likelihood: of each word; chosen: ln of the probability of what was drawn; b: the baseline.
        """
        reward = (log_likelihood.detach() * mask).sum(1) - baseline
        drawn = (reward * (chosen * mask).sum(1)).sum()
        entropies = torch.special.entr(weights).sum(-1)[mask].sum()
        return -self.weight * drawn - self.entropy * entropies
