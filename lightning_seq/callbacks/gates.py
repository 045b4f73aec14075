"""How far open the gates stand, as a model learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.chosen_sentences import LONGEST, chosen_rows, sentences_of
from lightning_seq.callbacks.probe import Cost
from lightning_seq.callbacks.recurrences import Recurrence, probed
from lightning_seq.cells.cell import Cell
from lightning_seq.files import Plain, write_json
from lightning_seq.spec import Batch

FILE = "gates.json"
BINS = 20
SHUT, OPEN = 0.1, 0.9
CANDIDATES = ("g", "n")
"""What may be written into the state: no gate, though cells name it beside them."""


class Gates(Callback):
    """Writes `gates.json` after each epoch: how often gates stand how far open, over all units and tokens of the probe
    (Karpathy et al. 2015), and what is kept from word to word in some of its sentences.

        {"epochs": [{"epoch", "recurrences": [{"layer", "direction", "gates": [
             {"gate", "keeps", "counts": [20], "shut", "open", "mean"}]}]}],
         "sentences": [{"id", "words", "cut"}],
         "strips": [{"layer", "direction", "kept": [a list for each sentence]}], "epoch"}

    counts: of values in 20 bins from 0 to 1; shut, open: the share below 0.1 and above 0.9.
    keeps:  whether this is the share of the old state that is kept: in the place of a gate that forgets stands what it
            leaves (`1 - f` of a minimal gated unit), so that no convention misleads.
    kept:   that share, a mean over the units, by word; of the last epoch.

    Candidates (g, n) are no gates. Nothing is drawn: training is the same with it and without. A model without gates
    writes nothing.
    """

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        self.directory, self.probe, self.cost = directory, probe, Cost()
        self.rows = chosen_rows(probe, data.spec)
        self.found: dict[str, Plain] = {"epochs": [], "sentences": sentences_of(data, probe, self.rows)}

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        with self.cost.counted():
            seen = probed(pl_module, self.probe)
            seen = [each for each in seen if each.finite and gates_of(each)]
            if not seen:
                return
            self._keep(trainer.current_epoch + 1, seen)
            write_json(self.directory / FILE, self.found)

    def _keep(self, epoch: int, seen: list[Recurrence]) -> None:
        mask = self.probe.mask
        entries = [
            _place(each) | {"gates": [opening(name, keeps, gate[mask]) for name, keeps, gate in gates_of(each)]}
            for each in seen
        ]
        before = [entry for entry in self.found["epochs"] if entry["epoch"] != epoch]
        self.found["epochs"] = [*before, {"epoch": epoch, "recurrences": entries}]
        self.found["epoch"] = epoch
        self.found["strips"] = [
            _place(each) | {"kept": [strip(gate[row], mask[row]) for row in self.rows]}
            for each in seen
            for _, keeps, gate in gates_of(each)
            if keeps
        ]

    def state_dict(self) -> dict[str, Any]:
        return {"found": self.found, "cost": self.cost.plain()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.found = state_dict["found"]
        self.cost.restore(state_dict["cost"])


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


def opening(name: str, keeps: bool, values: Tensor) -> dict[str, Plain]:
    """Of the values `[N, H]` of a gate at N tokens."""
    places = (values * BINS).long().clamp(0, BINS - 1)
    return {
        "gate": name,
        "keeps": keeps,
        "counts": torch.bincount(places.flatten(), minlength=BINS).tolist(),
        "shut": _rounded((values < SHUT).double().mean()),
        "open": _rounded((values > OPEN).double().mean()),
        "mean": _rounded(values.double().mean()),
    }


def strip(kept: Tensor, mask: Tensor) -> list[float]:
    """`[T, H]` to a mean over the units for each token that is shown."""
    return [_rounded(value) for value in kept[mask][:LONGEST].double().mean(1)]


def _rounded(value: Tensor) -> float:
    return round(float(value), 4)


def _place(each: Recurrence) -> dict[str, Plain]:
    return {"layer": each.layer, "direction": each.direction}
