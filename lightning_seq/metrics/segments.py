"""Scores of segments: runs of frames with one label (Lea et al. 2017; Farha & Gall 2019, MS-TCN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric


class Segment(NamedTuple):
    """Frames from `start` to before `stop` with one label."""

    label: int
    start: int
    stop: int


def segments_of(labels: Sequence[int]) -> list[Segment]:
    """The runs of equal labels, which are at least 0."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1)).tolist()
    stops = [*starts[1:], len(labels)] if starts else []
    return [Segment(labels[start], start, stop) for start, stop in zip(starts, stops, strict=True)]


def edit_score(predicted: Sequence[Segment], true: Sequence[Segment]) -> float:
    """1 - the edit distance between the labels of the segments / the larger number of segments."""
    row = list(range(len(true) + 1))
    for i, one in enumerate(predicted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(true, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one.label != other.label))
    return 1 - row[-1] / max(len(predicted), len(true), 1)


def matches(predicted: Sequence[Segment], true: Sequence[Segment], overlap: float) -> int:
    """Predicted segments whose best true segment of the same label has an intersection over union of at least
    `overlap`, and was not matched before."""
    matched: set[int] = set()
    for one in predicted:
        shares = [
            max(min(one.stop, other.stop) - max(one.start, other.start), 0)
            / (max(one.stop, other.stop) - min(one.start, other.start))
            * (one.label == other.label)
            for other in true
        ]
        best = int(np.argmax(shares))
        if shares[best] >= overlap and best not in matched:
            matched.add(best)
    return len(matched)


class SegmentScores(Metric):
    """`edit`, a mean over sequences, and `f1_10 f1_25 f1_50` of all segments, at these overlaps in per cent.

    Frames that do not count are left out. The state is sums, so the result is the same for any number of ranks.
    """

    OVERLAPS: ClassVar = (10, 25, 50)
    full_state_update = False
    higher_is_better = True
    sums: Tensor
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")  # edit scores, sequences
        self.add_state("counts", torch.zeros(len(self.OVERLAPS) + 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor, mask: Tensor) -> None:
        """Labels `[B, T]` and which of them count."""
        for row in range(len(mask)):
            kept = mask[row]
            if not bool(kept.any()):
                continue
            predicted, true = (segments_of(labels[row, kept].tolist()) for labels in (predictions, targets))
            found = [matches(predicted, true, overlap / 100) for overlap in self.OVERLAPS]
            self.sums += self.sums.new_tensor([edit_score(predicted, true), 1])
            self.counts += self.counts.new_tensor([*found, len(predicted), len(true)])

    def compute(self) -> dict[str, Tensor]:
        *found, predicted, true = self.counts
        f1 = {f"f1_{at}": 2 * n / (predicted + true).clamp(min=1) for at, n in zip(self.OVERLAPS, found, strict=True)}
        return {"edit": (self.sums[0] / self.sums[1].clamp(min=1)).float(), **f1}
