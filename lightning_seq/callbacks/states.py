"""The trajectory of the hidden state through a sentence."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.diagnostic import SentenceDiagnostic
from lightning_seq.callbacks.probe import LONGEST
from lightning_seq.callbacks.recurrences import Recurrence, probed
from lightning_seq.records.states import Travelled, Walk


class States(SentenceDiagnostic):
    """Writes `states.json` (see `records/states.py`): h_t of the top layer along some sentences of the probe, after the
    last epoch, in the plane of the first two principal components of all states of the probe.

    Each run has its own plane: compare shapes, not positions. A model without a recurrence writes nothing.
    """

    FILE = "states.json"

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        recurrences = probed(task, self.probe)
        top = max((one.place.layer for one in recurrences), default=0)
        paths = tuple(self._path(one) for one in recurrences if one.place.layer == top and one.finite)
        if paths:
            self.write(Travelled(self.sentences, paths, epoch).to_plain())

    def _path(self, recurrence: Recurrence) -> Walk:
        h, mask = recurrence.outputs.flatten(2), self.probe.mask
        points, share = plane(h[mask])
        by_row = torch.zeros(*mask.shape, 2, dtype=points.dtype)
        by_row[mask] = points
        paths = tuple(
            tuple(tuple(round(value, 3) for value in point) for point in by_row[row][mask[row]][:LONGEST].tolist())
            for row in self.rows
        )
        return Walk(recurrence.place.direction, round(share, 4), paths, recurrence.place.layer)


def plane(states: Tensor) -> tuple[Tensor, float]:
    """Project states `[N, H]` to points `[N, 2]` on the first two principal components; also return the share of the
    variance that these have.

    Both are divided by the standard deviation along the first. The largest weight of each component is positive. Points
    are zero if the states do not vary, or along a component that does not exist.
    """
    states = states.double()
    centred = states - states.mean(0)
    _, lengths, directions = torch.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    points = centred @ (directions * largest.sign()).T
    whole = lengths.square().sum()
    if not whole > 0:
        return torch.zeros(len(states), 2, dtype=torch.float64), 0.0
    points = torch.nn.functional.pad(points / points[:, 0].std(unbiased=False), (0, 2 - points.shape[1]))
    return points, float(lengths[:2].square().sum() / whole)
