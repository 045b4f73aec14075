"""How far the gates of a model are open, as it learns."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.diagnostic import SentenceDiagnostic
from lightning_seq.callbacks.probe import LONGEST
from lightning_seq.callbacks.recurrences import Recurrence, probed
from lightning_seq.records.gates import BINS, Epoch, Opened, Opening

SHUT, OPEN = 0.1, 0.9
CANDIDATES = ("g", "n")
"""Candidates for the new state, which cells list among their gates."""


class Gates(SentenceDiagnostic):
    """Writes `gates.json` (see `records/gates.py`) after each epoch: histograms of the gates' values, over all units
    and tokens of the probe (Karpathy et al. 2015), and the share that is kept from word to word in some sentences.

    A gate that forgets is written as the share that it keeps (`1 - f` of a minimal gated unit), so that all cells can
    be compared. Candidates (g, n) are no gates. A model without gates writes nothing.
    """

    FILE = "gates.json"

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        mask = self.probe.mask
        recurrences = [(one.place, gates_of(one)) for one in probed(task, self.probe) if one.finite]
        openings = tuple(
            (place, tuple(opening(name, keeps, gate[mask]) for name, keeps, gate in gates))
            for place, gates in recurrences
            if gates
        )
        if not openings:
            return
        kept = tuple(
            (place, tuple(strip(gate[row], mask[row]) for row in self.rows))
            for place, gates in recurrences
            for _, keeps, gate in gates
            if keeps
        )
        before = [Epoch.from_plain(entry) for entry in self.results.get("epochs", ()) if entry["epoch"] != epoch]
        self.write(Opened((*before, Epoch(epoch, openings)), self.sentences, kept, epoch).to_plain())


def gates_of(recurrence: Recurrence) -> list[tuple[str, bool, Tensor]]:
    """Name, whether it keeps the old state, and values `[B, T, H]` of the gates that the cell learns.

    A gate that was removed, or follows from another one, is not among `cell.gates`.
    """
    cell, gates = recurrence.cell, recurrence.gates
    keeps, sign = cell.keeps or (None, 1)
    learned = getattr(cell, "gates", tuple(gates))
    return [
        (f"1 - {name}", True, 1 - gate) if name == keeps and sign < 0 else (name, name == keeps, gate)
        for name, gate in gates.items()
        if name in learned and name not in CANDIDATES
    ]


def opening(name: str, keeps: bool, values: Tensor) -> Opening:
    """Of the values `[N, H]` of a gate at N tokens."""
    bins = (values * BINS).long().clamp(0, BINS - 1)
    counts = torch.bincount(bins.flatten(), minlength=BINS).tolist()
    shares = [(values < SHUT).double().mean(), (values > OPEN).double().mean(), values.double().mean()]
    return Opening(name, keeps, tuple(counts), *(round(float(share), 4) for share in shares))


def strip(kept: Tensor, mask: Tensor) -> tuple[float, ...]:
    """`[T, H]` to the mean over the units, for each token that is shown."""
    return tuple(round(value, 4) for value in kept[mask][:LONGEST].double().mean(1).tolist())
