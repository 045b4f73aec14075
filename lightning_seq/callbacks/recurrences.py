"""The states and gates of each recurrence of a model at every step of a batch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_seq.callbacks.probe import looking
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.layers.mask import lengths_of, reverse
from lightning_seq.layers.recurrent import watched
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.tagger import Tagger
from lightning_seq.records.sentences import Place
from lightning_seq.spec import Batch


@dataclass(frozen=True)
class Recurrence:
    """One recurrence of an encoder, on the CPU.

    place:   its layer, and its direction: `forward`, `backward` or `combined`; steps are in the order of the tokens.
    outputs: `[B, T, H]`, what the layer above reads.
    states:  `[B, T, …]` for each tensor of the state.
    gates:   by name, `[B, T, H]`.
    """

    place: Place
    cell: Cell
    outputs: Tensor
    states: tuple[Tensor, ...]
    gates: dict[str, Tensor]

    @property
    def finite(self) -> bool:
        return all(bool(torch.isfinite(tensor).all()) for tensor in (self.outputs, *self.states, *self.gates.values()))


@torch.no_grad()
def recurrences(model: nn.Module, batch: Batch) -> list[Recurrence]:
    """Those of the model's encoder, from the input up, in evaluation as in `looking`; none for one without any."""
    encoder: Any = model.encoder
    places = {id(module): name for name, module in encoder.named_modules()}
    with watched() as seen:
        _read(model, batch)
    turned = isinstance(model, EncoderDecoder) and model.reverse_source
    lengths = lengths_of(batch.inputs, batch.mask)

    def brought(tensor: Tensor) -> Tensor:
        return (reverse(tensor, lengths) if turned else tensor).cpu()

    found = []
    for layer, _, _, run in seen:
        if id(layer) not in places or run.trace is None:
            continue  # what reads the characters of words, say
        numbers = re.findall(r"\d+", places[id(layer)])
        direction = "backward" if layer.reverse != turned else "forward"
        direction = "combined" if isinstance(layer.cell, CombinedCell) else direction
        found.append(
            Recurrence(
                Place(int(numbers[-1]) + 1 if numbers else 1, direction),
                layer.cell,
                brought(run.outputs),
                tuple(brought(tensor) for tensor in run.trace.states),
                {name: brought(gate) for name, gate in run.trace.gates.items()},
            )
        )
    return found


def probed(task: LightningModule, probe: Batch) -> list[Recurrence]:
    """As `recurrences`, of a task's model with the probe; the model is left as it was."""
    model: Any = task.model
    with looking(model):
        return recurrences(model, probe.to(task.device))


def _read(model: nn.Module, batch: Batch) -> None:
    """Run the encoder, and no softmax or decoder where it can be helped."""
    if isinstance(model, LanguageModel):
        model.read(batch.inputs, batch.mask)
    elif isinstance(model, EncoderDecoder):
        model.encode(batch.inputs, batch.mask)
    elif isinstance(model, Tagger):
        model(batch.inputs, batch.mask, batch.extra)
    else:
        model(batch.inputs, batch.mask)
