"""The trajectory of the hidden state through a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.chosen_sentences import LONGEST, chosen_rows, sentences_of
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.recurrences import Recurrence, probed
from lightning_seq.files import write_json
from lightning_seq.records.states import Travelled, Walk
from lightning_seq.spec import Batch

FILE = "states.json"


class States(Diagnostic):
    """Writes `states.json`: h_t of the top layer along some sentences of the probe, after the last epoch, in the plane
    of the two principal components of all the probe's states.

    The format is in `records/states.py`.

    Every run has a plane of its own: shapes compare, places do not. Nothing is drawn: training is the same with it and
    without. A model without a recurrence writes nothing.
    """

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        super().__init__(directory, data, probe)
        self.rows = chosen_rows(probe, data.spec)
        self.sentences = sentences_of(probe, data.spec, self.rows)

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        seen = probed(task, self.probe)
        top = max((each.place.layer for each in seen), default=0)
        seen = [each for each in seen if each.place.layer == top and each.finite]
        if seen:
            self.found = Travelled(self.sentences, tuple(map(self._path, seen)), epoch).to_plain()
            write_json(self.directory / FILE, self.found)

    def _path(self, each: Recurrence) -> Walk:
        h, mask = each.outputs.flatten(2), self.probe.mask
        places, share = plane(h[mask])
        laid = torch.zeros(*mask.shape, 2, dtype=places.dtype)
        laid[mask] = places
        walked = (laid[row][mask[row]][:LONGEST].tolist() for row in self.rows)
        rounded = tuple(tuple(tuple(round(value, 3) for value in place) for place in of_row) for of_row in walked)
        return Walk(each.place.direction, round(share, 4), rounded, each.place.layer)


def plane(states: Tensor) -> tuple[Tensor, float]:
    """`[N, H]` to places `[N, 2]` on the first two principal components, and the share of the variance there.

    Both are divided by the standard deviation along the first, whose largest weight is positive, as the second's is.
    Places are zero where the states do not vary, or along a component that there is none of.
    """
    states = states.double()
    centred = states - states.mean(0)
    _, lengths, directions = torch.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    places = centred @ (directions * largest.sign()).T
    deviation = places[:, 0].std(unbiased=False)
    whole = lengths.square().sum()
    if not whole > 0:
        return torch.zeros(len(states), 2, dtype=torch.float64), 0.0
    places = torch.nn.functional.pad(places / deviation, (0, 2 - places.shape[1]))
    return places, float(lengths[:2].square().sum() / whole)
