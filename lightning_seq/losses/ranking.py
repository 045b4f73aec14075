"""A loss that ranks the right class above the others."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from lightning_seq.losses.cross_entropy import check_targets
from lightning_seq.tensors import FLOATING, check_tensor

OTHER = "Other"
"""The class of the examples of no other class: the loss has no score for it."""


def ranking_loss_sum(
    scores: Float[Tensor, "N R"],
    targets: Int[Tensor, "N"],
    target_mask: Bool[Tensor, "N"],
    other: int | None = None,
    scale: float = 2.0,
    right_margin: float = 2.5,
    wrong_margin: float = 0.5,
) -> Float[Tensor, ""]:
    """The pairwise ranking loss (dos Santos et al. 2015, eqs. 1 and 2), a sum over the targets whose mask is True.

        l = log(1 + exp(γ (m⁺ - s_y))) + log(1 + exp(γ (m⁻ + s_c))),  c = argmax_{c ≠ y} s_c

    Class `other` has no score: its examples have the second term alone, over all scores. A masked row gives no value
    and no gradient, even with NaN in its scores.

    scores: of every class but `other`, in the order of their ids.
    other:  the id of that class; None if every class has a score.
    scale, right_margin, wrong_margin: γ, m⁺ and m⁻.

    Raises ValueError for another shape or device, TypeError for another type.
    """
    check_targets("ranking_loss_sum", "scores", scores, targets, target_mask)
    scores = torch.where(target_mask[:, None], scores, torch.zeros_like(scores))
    columns, scored = targets, target_mask
    if other is not None:
        columns, scored = targets - (targets > other).long(), target_mask & (targets != other)
    columns = columns.masked_fill(~scored, 0)[:, None]
    right = scores.gather(1, columns).squeeze(1)
    competing = torch.where(scored[:, None], scores.scatter(1, columns, -torch.inf), scores)
    wrong = competing.max(1).values
    of_right = -functional.logsigmoid(scale * (right - right_margin))
    of_wrong = -functional.logsigmoid(-scale * (wrong + wrong_margin))
    return of_right[scored].sum() + of_wrong[target_mask].sum()


def ranked_class(scores: Float[Tensor, "N R"], other: int | None = None) -> Int[Tensor, "N"]:
    """The class with the highest score; `other` if all are negative (dos Santos et al. 2015, sec. 2.6).

    Raises ValueError for another shape, TypeError for another type.
    """
    check_tensor("ranked_class", "scores", scores, ("N", "R"), None, FLOATING)
    best, column = scores.max(1)
    if other is None:
        return column
    return torch.where(best < 0, other, column + (column >= other).long())
