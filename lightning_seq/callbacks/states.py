"""The way of the state through a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.chosen_sentences import LONGEST, chosen_rows, sentences_of
from lightning_seq.callbacks.probe import Cost
from lightning_seq.callbacks.recurrences import Recurrence, probed
from lightning_seq.files import Plain, write_json
from lightning_seq.spec import Batch

FILE = "states.json"


class States(Callback):
    """Writes `states.json`: h_t of the top layer along some sentences of the probe, after the last epoch, in the plane
    of the two principal components of all the probe's states.

        {"epoch", "sentences": [{"id", "words", "cut"}],
         "paths": [{"layer", "direction", "share", "places": [for each sentence [[x, y] of each word]]}]}

    share: of the variance that lies in the plane.

    Every run has a plane of its own: shapes compare, places do not. Nothing is drawn: training is the same with it and
    without. A model without a recurrence writes nothing.
    """

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        self.directory, self.probe, self.cost = directory, probe, Cost()
        self.rows = chosen_rows(probe, data.spec)
        self.found: dict[str, Plain] = {"sentences": sentences_of(data, probe, self.rows)}

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        with self.cost.counted():
            seen = probed(pl_module, self.probe)
            top = max((each.layer for each in seen), default=0)
            seen = [each for each in seen if each.layer == top and each.finite]
            if not seen:
                return
            self.found |= {"epoch": trainer.current_epoch + 1, "paths": [self._path(each) for each in seen]}
            write_json(self.directory / FILE, self.found)

    def _path(self, each: Recurrence) -> dict[str, Plain]:
        h, mask = each.outputs.flatten(2), self.probe.mask
        places, share = plane(h[mask])
        laid = torch.zeros(*mask.shape, 2, dtype=places.dtype)
        laid[mask] = places
        return {
            "layer": each.layer,
            "direction": each.direction,
            "share": round(share, 4),
            "places": [
                [[round(value, 3) for value in place] for place in laid[row][mask[row]][:LONGEST].tolist()]
                for row in self.rows
            ],
        }

    def state_dict(self) -> dict[str, Any]:
        return {"found": self.found, "cost": self.cost.plain()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.found = state_dict["found"]
        self.cost.restore(state_dict["cost"])


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
