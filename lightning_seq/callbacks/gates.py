"""How far the gates of a model are open, as it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.chosen_sentences import LONGEST, chosen_rows, sentences_of
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.recurrences import Recurrence, probed
from lightning_seq.cells.cell import Cell
from lightning_seq.files import write_json
from lightning_seq.records.gates import BINS, Epoch, Opened, Opening
from lightning_seq.spec import Batch

FILE = "gates.json"
SHUT, OPEN = 0.1, 0.9
CANDIDATES = ("g", "n")
"""Candidates for the new state: cells name them among their gates."""


class Gates(Diagnostic):
    """Writes `gates.json` after each epoch: histograms of the gates' values, over all units and tokens of the probe
    (Karpathy et al. 2015), and what is kept from word to word in some of its sentences.

    The format is in `records/gates.py`. A gate that forgets is written as the share that it keeps (`1 - f` of a minimal
    gated unit), so that all cells can be compared.

    Candidates (g, n) are no gates. Nothing is drawn: training is the same with it and without. A model without gates
    writes nothing.
    """

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        super().__init__(directory, data, probe)
        self.rows = chosen_rows(probe, data.spec)
        self.sentences = sentences_of(probe, data.spec, self.rows)
        self.found = {"epochs": []}

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        seen = [each for each in probed(task, self.probe) if each.finite and gates_of(each)]
        if seen:
            self.found = self._opened(epoch, seen).to_plain()
            write_json(self.directory / FILE, self.found)

    def _opened(self, epoch: int, seen: list[Recurrence]) -> Opened:
        mask = self.probe.mask
        recurrences = tuple(
            (each.place, tuple(opening(name, keeps, gate[mask]) for name, keeps, gate in gates_of(each)))
            for each in seen
        )
        before = [Epoch.from_plain(entry) for entry in self.found["epochs"] if entry["epoch"] != epoch]
        kept = tuple(
            (each.place, tuple(strip(gate[row], mask[row]) for row in self.rows))
            for each in seen
            for _, keeps, gate in gates_of(each)
            if keeps
        )
        return Opened((*before, Epoch(epoch, recurrences)), self.sentences, kept, epoch)


def gates_of(each: Recurrence) -> list[tuple[str, bool, Tensor]]:
    """Name, whether it keeps the old state, and values `[B, T, H]` of the gates that the cell learns."""
    keeps, sign = each.cell.keeps or (None, 1)
    found = []
    for name in _learned(each.cell, each.gates):
        if name == keeps and sign < 0:
            found.append((f"1 - {name}", True, 1 - each.gates[name]))
        else:
            found.append((name, name == keeps, each.gates[name]))
    return found


def _learned(cell: Cell, gates: dict[str, Tensor]) -> list[str]:
    """A gate that was taken out, or follows from another, is not among `cell.gates`."""
    own = getattr(cell, "gates", tuple(gates))
    return [name for name in gates if name in own and name not in CANDIDATES]


def opening(name: str, keeps: bool, values: Tensor) -> Opening:
    """Of the values `[N, H]` of a gate at N tokens."""
    places = (values * BINS).long().clamp(0, BINS - 1)
    counts = torch.bincount(places.flatten(), minlength=BINS).tolist()
    shares = [(values < SHUT).double().mean(), (values > OPEN).double().mean(), values.double().mean()]
    return Opening(name, keeps, tuple(counts), *map(_rounded, shares))


def strip(kept: Tensor, mask: Tensor) -> tuple[float, ...]:
    """`[T, H]` to a mean over the units for each token that is shown."""
    return tuple(_rounded(value) for value in kept[mask][:LONGEST].double().mean(1))


def _rounded(value: Tensor) -> float:
    return round(float(value), 4)
