"""Attention against the places of things."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric


class Pointing(Metric):
    """Attention of the words that name a thing, against its box.

    `pointing`: share of them whose place with the greatest weight (the first of equals) has its centre in the box
    (the pointing game, Zhang et al. 2018). `on_target`: the weight in the box, a place counts with the part of it that
    the box covers. `uniform`: what a uniform map would have as `pointing`. Words without a box do not count.

    The state is four sums, so the result is the same for any number of ranks.
    """

    full_state_update = False
    higher_is_better = True
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(4, dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self,
        weights: Float[Tensor, "B T S"],
        boxes: Float[Tensor, "B T 4"],
        mask: Bool[Tensor, "B T"],
        grid: tuple[int, int],
    ) -> None:
        """Weights (the mean of several heads), the boxes of the words (NaN: none), the words that count, and the rows
        and columns of the places."""
        named = mask & ~boxes.isnan().any(-1)
        inside, covered = in_boxes(boxes[named], grid)
        weights = weights[named]
        right = inside.gather(-1, weights.argmax(-1, keepdim=True))
        values = right.sum(), (weights * covered).sum(), inside.double().mean(-1).sum(), named.sum()
        self.sums += torch.stack([value.double() for value in values])

    def compute(self) -> dict[str, Tensor]:
        """NaN without a word that has a box."""
        values = self.sums[:3] / self.sums[3]
        return dict(zip(("pointing", "on_target", "uniform"), values, strict=True))


def in_boxes(boxes: Float[Tensor, "N 4"], grid: tuple[int, int]) -> tuple[Bool[Tensor, "N S"], Float[Tensor, "N S"]]:
    """Whether the centre of each place is in a box, and the part of the place that the box covers."""
    rows, columns = grid
    parts, inside = [], []
    for count, first, last in ((rows, boxes[:, 1], boxes[:, 3]), (columns, boxes[:, 0], boxes[:, 2])):
        edges = torch.arange(count + 1, device=boxes.device, dtype=boxes.dtype) / count
        low, high = torch.maximum(edges[:-1], first[:, None]), torch.minimum(edges[1:], last[:, None])
        parts.append((high - low).clamp(min=0) * count)
        centres = (edges[:-1] + edges[1:]) / 2
        inside.append((centres >= first[:, None]) & (centres < last[:, None]))
    joined = inside[0][:, :, None] & inside[1][:, None]
    return joined.flatten(1), (parts[0][:, :, None] * parts[1][:, None]).flatten(1)
