"""Ranks of right answers among candidates."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

RECALLS = (1, 5, 10)


def ranks(scores: Float[Tensor, "B C"], right: Int[Tensor, "B"], real: Bool[Tensor, "B C"]) -> Int[Tensor, "B"]:
    """The rank of the right candidate, 1 for the best; candidates with its score count as better than it, and so does
    everything if it has no score (NaN).

    real: False for padding.
    """
    own = scores.gather(1, right[:, None])
    return real.sum(1) - ((scores < own) & real).sum(1)


def ndcg(
    scores: Float[Tensor, "B C"], relevances: Float[Tensor, "B C"], real: Bool[Tensor, "B C"]
) -> Float[Tensor, "B"]:
    """Normalised discounted cumulative gain, as the Visual Dialog Challenge measures it.

        DCG = Σ_{i=1..k} rel_i / log2(1 + i),  NDCG = DCG / DCG of the candidates by relevance

    rel_i is the relevance of the candidate at rank i, and k the number of candidates with a relevance above 0. Of equal
    scores the less relevant candidate comes first. NaN for rows without a relevance above 0.

    real: False for padding.
    """
    gains = relevances.double().masked_fill(~real, 0.0)
    rising = gains.argsort(1)
    own = scores.double().nan_to_num(nan=float("-inf")).masked_fill(~real, float("-inf")).gather(1, rising)
    ranked = gains.gather(1, rising).gather(1, own.argsort(dim=1, descending=True, stable=True))
    place = torch.arange(gains.shape[1], dtype=torch.float64, device=gains.device)
    discounts = (place < (gains > 0).sum(1, keepdim=True)) / torch.log2(place + 2)
    return (ranked * discounts).sum(1) / (gains.sort(1, descending=True).values * discounts).sum(1)


def right_places(candidates: Int[Tensor, "B C"], targets: Int[Tensor, "B"]) -> Int[Tensor, "B"]:
    """The first place of each target among its candidates; 0 if it is not one of them."""
    return (candidates == targets[:, None]).int().argmax(1)


def of_counts(counts: Int[Tensor, "turns candidates"]) -> dict[str, Tensor]:
    """`mrr` (the mean of 1/rank), `recall_at_1 recall_at_5 recall_at_10` (the share of ranks up to 1, 5, 10) and
    `mean_rank` (Das et al. 2017, sec. 5); of several turns also `mrr_turn_1` and so on, NaN for one without an example.

    counts: how often each rank occurs at each turn.
    """
    turns, total = counts.double(), counts.sum(0).double()
    rank = torch.arange(1, len(total) + 1, dtype=torch.float64, device=total.device)
    values = {"mrr": (total / rank).sum() / total.sum()}
    values |= {f"recall_at_{most}": total[:most].sum() / total.sum() for most in RECALLS}
    values["mean_rank"] = (total * rank).sum() / total.sum()
    if len(turns) > 1:
        of_turns = (turns / rank).sum(1) / turns.sum(1)
        values |= {f"mrr_turn_{number}": value for number, value in enumerate(of_turns, 1)}
    return {name: value.float() for name, value in values.items()}


class Ranks(Metric):
    """See `of_counts`; the state is counts, so the result is the same for any number of processes.

    candidates: the largest rank; turns: of the longest dialog.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, candidates: int, turns: int = 1) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(turns, candidates, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, found: Int[Tensor, "N"], turns: Int[Tensor, "N"]) -> None:
        """turns: of each, from 0."""
        places = turns * self.counts.shape[1] + found - 1
        self.counts += torch.bincount(places, minlength=self.counts.numel()).view_as(self.counts)

    def compute(self) -> dict[str, Tensor]:
        return of_counts(self.counts)
