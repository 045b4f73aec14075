"""The official score of SemEval-2010 task 8."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_seq.errors import UserError
from lightning_seq.losses.ranking import OTHER
from lightning_seq.metrics.precision_recall_f1 import precision_recall_f1

_DIRECTED = re.compile(r"(.+)\((e1,e2|e2,e1)\)")


class RelationF1(Metric):
    """Macro-averaged F1 over the relations, their directions taken into account (Hendrickx et al. 2010).

    The (9+1)-way evaluation with directionality of the task's scorer (version 1.2). A prediction of a relation R is
    right only with the right direction; predicted are all predictions of R, given all examples of R, in either
    direction. `Other` has no part in the mean, but confusions with it lower the recall or precision of the others. The
    mean is over the relations that occur among the targets; every example has a prediction.

    names:     the classes by id, such as `Cause-Effect(e1,e2)`, and `Other`.
    relations: the names without their direction, sorted, without `Other`.

    The state is the confusion matrix, so the result is the same for any number of ranks.

    Raises UserError for another name.
    """

    full_state_update = False
    higher_is_better = True
    confusion: Tensor
    relation: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        relations = [None if name == OTHER else _relation(name) for name in names]
        self.relations = tuple(sorted({relation for relation in relations if relation is not None}))
        numbers = [len(self.relations) if one is None else self.relations.index(one) for one in relations]
        self.register_buffer("relation", torch.tensor(numbers), persistent=False)
        zeros = torch.zeros(len(names), len(names), dtype=torch.int64)
        self.add_state("confusion", zeros, dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Class ids `[N]`, or scores `[N, C]`, of which the highest is the prediction; and targets `[N]`."""
        if predictions.is_floating_point():
            predictions = predictions.argmax(-1)
        C = len(self.confusion)
        self.confusion += torch.bincount(targets * C + predictions, minlength=C * C).view(C, C)

    def compute(self) -> dict[str, Tensor]:
        """`relation_precision relation_recall relation_f1`, and `relation_counts` `[R, 3]`: right, predicted, given."""
        sums = torch.stack([self.confusion.diagonal(), self.confusion.sum(0), self.confusion.sum(1)], 1)
        R = len(self.relations)
        counts = sums.new_zeros(R + 1, 3).index_add(0, self.relation, sums)[:R]
        values = torch.stack(precision_recall_f1(*counts.unbind(1)), 1)
        occurs = counts[:, 2] > 0
        means = (values * occurs[:, None]).sum(0) / occurs.sum().clamp(min=1)
        return {
            **{f"relation_{name}": value for name, value in zip(("precision", "recall", "f1"), means, strict=True)},
            "relation_counts": counts,
        }


def _relation(name: str) -> str:
    match = _DIRECTED.fullmatch(name)
    if match is None:
        raise UserError(f"class {name!r} names no directed relation: expected one like Cause-Effect(e1,e2), or {OTHER}")
    return match[1]
